"""How many users there are, and when."""

from __future__ import annotations

import math
import os

from locust import LoadTestShape

USERS, STEPS = int(os.environ.get("USERS", "6")), int(os.environ.get("STEPS", "3"))
DURATION = float(os.environ.get("DURATION", "240"))  # seconds


class Steps(LoadTestShape):
    """Calm, STEPS steps up, the peak, and calm again."""

    def tick(self) -> tuple[int, float] | None:
        part = self.get_run_time() / DURATION
        calm = max(1, USERS // 4)
        if part >= 1:
            return None
        if part < 0.15 or part >= 0.85:
            return calm, USERS
        step = min(STEPS, math.floor((part - 0.15) / 0.4 * STEPS) + 1)
        return calm + math.ceil((USERS - calm) * step / STEPS), USERS
