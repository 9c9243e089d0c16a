"""Rich renderables from frozen dataclasses and messages; no bus, no clock."""
