"""`python -m iwf_api` is `iwf-server`."""

from iwf_api.cli import main

if __name__ == "__main__":
    main()
