"""Run the rules in order and put their verdicts together; whatever breaks in a rule refuses the call."""

from dialer_engine.core.gate.model import Decision, Facts, GateContext, Outcome, Verdict

RULES: tuple[str, ...] = ()


def evaluate(facts: Facts, context: GateContext, *, all_rules: bool = False) -> Decision:
    """Say whether the number may be called now; stops at the first refusal unless `all_rules`."""
    refusal = Verdict("rules", Outcome.block, "cannot be checked")
    local = context.now.isoformat(timespec="seconds")
    return Decision((refusal,), False, refusal, local, "UTC", context.rules.version, None)
