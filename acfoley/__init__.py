"""AC-Foley: sound for a silent video, guided by a reference sound (ICLR 2026)."""
