"""``python -m acfoley`` is ``acfoley``; ``torchrun -m acfoley train ...`` trains on many GPUs."""

from acfoley.cli import main

if __name__ == "__main__":
    main()
