"""How far an ascent may go. Knows nothing of PyTorch, whose loading takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

ROUNDING = 1 + 1e-9
"""Relative tolerance of comparisons with ε."""


@dataclass(frozen=True)
class Budget:
    """Radius ε of the ball and length of one step, both L2 over the whole image in [0, 1] pixels; number of steps."""

    epsilon: float
    step: float
    steps: int

    @classmethod
    def along_radius(cls, epsilon: float, *, step: float) -> Budget:
        """The rule of the learning studies: as many steps of `step` as the radius is long, at least one."""
        return cls(epsilon=epsilon, step=step, steps=max(1, round(epsilon / step)))

    def may_leave_ball(self, n_steps: int) -> bool:
        """Whether `n_steps` steps from the centre may lead out of the ball."""
        return n_steps * self.step > self.epsilon * ROUNDING
