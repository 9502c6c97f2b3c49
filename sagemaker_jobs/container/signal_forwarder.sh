# What bash reads before anything else in a training container (BASH_ENV). SageMaker sends SIGTERM, two minutes before it
# takes a machine away, to the first process alone: the shell of the SDK's start script, which keeps it to itself while it
# waits for the training. So that shell is started once more by a process that passes the signal on.
if [ -z "${LWISE_PASSES_ON_SIGNALS:-}" ] && [ -n "${BASH_EXECUTION_STRING:-}" ]; then
    export LWISE_PASSES_ON_SIGNALS=1
    exec python3 "$(dirname "${BASH_SOURCE[0]}")/signal_forwarder.py" "$BASH" -c "$BASH_EXECUTION_STRING"
fi
