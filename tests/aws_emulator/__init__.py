"""An AWS account on this machine, for tests and for trying things out: `with StandIn() as stand_in`.

Real are the `cdk` command, the templates, the functions' own zips and a browser's requests. AWS is played by moto, in
this process, and by the modules here, which add what moto lacks:

    stand_in            the account: bootstrapped, deployed to, asked for outputs
    cdk_command         runs the CLI
    crashes             exceptions inside moto, reported as what they are
    stacks              CloudFormation's order of work, roll-back, retention, termination protection
    resources           resource types that moto does not know, or knows in part
    custom_resources    what the CDK's own custom resources do
    functions           functions in warm processes; `function_process` is what runs in one
    permissions         what a function's role allows
    rest_api            API Gateway: routes, validation, proxy integration
    distribution        CloudFront: behaviours, origins, access to private buckets, response headers
    edge                an HTTP server before a distribution
    messages            HTTP requests and answers between the last three
    sample_app          an app that is deployed to test all of this
    project             a copy of the project with other studies; `variations` are those of the tests
    inventory           all that there is in an account
    lwise_command       runs `lwise` in the account
    participant         makes the calls of a page one by one

What it cannot show: times and limits of AWS, caches, TLS, throttling, alarms that go off, what the deploying person may
do, and functions on another version of Python than the tests'. What is not played fails and says so. Moto's private
names are patched while a stand-in is open, and only then; hence moto is pinned to one version.
"""
