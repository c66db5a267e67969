"""Many models at once: members that differ in their seed and in settings, trained side by side."""
