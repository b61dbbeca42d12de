"""What every experiment stands on: attention, the device, models, settings and links, one look."""
