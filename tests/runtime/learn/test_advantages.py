"""Generalised advantages against vectors computed by hand and against a direct sum."""

import numpy as np

from agentc.runtime.learn.credit.advantages import generalized_advantages


def column(*numbers):
    return np.array(numbers, np.float32).reshape(-1, 1)


def flags(*numbers):
    return np.array(numbers, np.bool_).reshape(-1, 1)


def test_three_steps_by_hand():
    # discount 0.5, lambda 0.5; the decay of the sum is 0.25.
    advantages = generalized_advantages(
        column(1, 2, 3), column(4, 5, 6), flags(0, 0, 0), flags(0, 0, 0), column(0, 0, 0), np.float32([8]), 0.5, 0.5
    )
    # residuals: 1 + 2.5 - 4 = -0.5;  2 + 3 - 5 = 0;  3 + 4 - 6 = 1
    np.testing.assert_allclose(advantages[:, 0], [-0.5 + 0.25 * 0.25, 0.25, 1.0], atol=1e-7)


def test_termination_is_worth_nothing_and_truncation_its_last_observation():
    rewards, values, bootstrap = column(1, 2, 3), column(4, 5, 6), column(0, 10, 0)
    terminated = generalized_advantages(
        rewards, values, flags(0, 1, 0), flags(0, 0, 0), bootstrap, np.float32([8]), 0.5, 0.5
    )
    # residuals: -0.5;  2 - 5 = -3;  1; nothing flows back over the end of the episode
    np.testing.assert_allclose(terminated[:, 0], [-0.5 - 0.75, -3.0, 1.0], atol=1e-7)
    truncated = generalized_advantages(
        rewards, values, flags(0, 0, 0), flags(0, 1, 0), bootstrap, np.float32([8]), 0.5, 0.5
    )
    # residual of the second: 2 + 0.5 * 10 - 5 = 2
    np.testing.assert_allclose(truncated[:, 0], [-0.5 + 0.5, 2.0, 1.0], atol=1e-7)
    both = generalized_advantages(rewards, values, flags(0, 1, 0), flags(0, 1, 0), bootstrap, np.float32([8]), 0.5, 0.5)
    np.testing.assert_array_equal(both, terminated)


def test_the_last_step_may_end_an_episode():
    advantages = generalized_advantages(
        column(1, 1), column(0, 0), flags(0, 0), flags(0, 1), column(0, 4), np.float32([99]), 1.0, 1.0
    )
    np.testing.assert_allclose(advantages[:, 0], [6.0, 5.0], atol=1e-7)


def test_against_the_sum_of_its_definition():
    rng = np.random.default_rng(5)
    steps, envs, discount, lam = 23, 4, 0.97, 0.9
    rewards, values, bootstrap = (rng.standard_normal((steps, envs)).astype(np.float32) for _ in range(3))
    terminated, truncated = (rng.random((steps, envs)) < 0.1 for _ in range(2))
    last = rng.standard_normal(envs).astype(np.float32)
    got = generalized_advantages(rewards, values, terminated, truncated, bootstrap, last, discount, lam)
    for i in range(envs):
        for t in range(steps):
            total, weight = 0.0, 1.0
            for k in range(t, steps):
                if terminated[k, i]:
                    following = 0.0
                elif truncated[k, i]:
                    following = float(bootstrap[k, i])
                else:
                    following = float(last[i] if k == steps - 1 else values[k + 1, i])
                total += weight * (float(rewards[k, i]) + discount * following - float(values[k, i]))
                if terminated[k, i] or truncated[k, i]:
                    break
                weight *= discount * lam
            np.testing.assert_allclose(got[t, i], total, rtol=1e-5, atol=1e-5)
