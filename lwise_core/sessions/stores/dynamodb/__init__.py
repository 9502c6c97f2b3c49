"""`SessionStore` in DynamoDB, with e-mail addresses in a private bucket: deployed studies."""
