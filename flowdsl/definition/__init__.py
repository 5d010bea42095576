"""What the user wrote, as frozen and validated values."""
