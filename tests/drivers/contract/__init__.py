"""What every driver must do. To add a driver, add it to `DRIVERS` in `conftest`."""
