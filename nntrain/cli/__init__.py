"""The command line: one file a command, thin; heavy imports wait until a command runs."""

from __future__ import annotations


def main() -> None:
    """Run the ``nntrain`` command and exit with its code."""
    import gc
    import warnings

    # What NumPy warns of, the training finds and tells with its place; -W error must not make a failure of it either.
    warnings.simplefilter("ignore", RuntimeWarning)
    gc.disable()  # until the command has its modules, see nntrain.cli.loading
    # The handlers stand before anything that takes time is imported, so that Ctrl-C never shows a traceback.
    try:
        from nntrain.cli.signals import INTERRUPTION, Interrupted

        INTERRUPTION.install()
    except KeyboardInterrupt:  # of Python's own handler, in the moment before ours stands
        raise SystemExit(130) from None
    try:
        with INTERRUPTION.deferred():  # run() takes up what came meanwhile
            from nntrain.cli.entry import run
        code = run()
    except Interrupted as interrupted:  # before the command could take it up, or after it was done
        code = interrupted.exit_code
    INTERRUPTION.ignore()
    # Python's last search for garbage would walk all that was loaded, which goes with the process anyway.
    gc.freeze()
    gc.disable()
    raise SystemExit(code)
