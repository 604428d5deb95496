"""``python -m nntrain`` is the ``nntrain`` command."""

from nntrain.cli import main

if __name__ == "__main__":
    main()
