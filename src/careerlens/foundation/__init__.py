"""What every other part stands on: settings, errors, logs, the embedded server, supervision."""
