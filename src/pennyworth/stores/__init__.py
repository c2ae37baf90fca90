"""Where kept answers live, and the control row: adapters for the ``Store`` and ``ControlRow`` ports."""
