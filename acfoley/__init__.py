"""AC-Foley: audio for a silent video, guided by reference audio (ICLR 2026)."""
