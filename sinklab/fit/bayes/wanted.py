"""What needs a prior in a model, and the sizes that the rules for priors refer to."""

from sinklab.equations.forms import additive_terms, power_product
from sinklab.fit.bayes import latent
from sinklab.fit.bayes.priors import Wanted
from sinklab.fit.bayes.spec import branches


def wanted_priors(spec, start, sizes) -> dict[str, Wanted]:
    """What needs a prior, with the sizes that the rule may refer to.

    ``start`` holds natural start values by parameter, ``sizes`` the residual SD at the start and the SD
    of the variance function's variable by response.
    """
    wanted = {}
    exponents = _exponents(spec.system)
    spread = {}
    for name in spec.system.parameters:
        if name in spec.positive:
            wanted[name] = Wanted("coefficient", ("lognormal", "normal"), start[name])
        elif name in exponents:
            wanted[name] = Wanted("exponent", ("normal",), start[name])
        else:
            wanted[name] = Wanted("other", ("normal",), start[name], abs(start[name]) or 1.0)
        logarithmic = name in spec.positive or name in exponents
        unit = 1.0 if logarithmic else abs(start[name]) or 1.0
        spread[name] = Wanted(
            "spread_log" if logarithmic else "spread_other", ("halfnormal", "lognormal"), unit=unit
        )
    for block in spec.blocks:
        wanted |= {f"spread({name})": spread[name] for name in block.parameters}
        if block.correlated:
            wanted[f"correlation({block.column})"] = Wanted("correlation", ("lkj",))
    for response in spec.free:
        sigma, base_sd = sizes.get(response, (1.0, 1.0))
        f = spec.functions[response]
        wanted[f"sigma({response})"] = (
            Wanted("sigma_log", ("halfnormal", "lognormal"))
            if f.kind == "lognormal"
            else Wanted("sigma", ("halfnormal", "lognormal"), unit=sigma)
        )
        if f.estimated:
            wanted[f"exponent({response})"] = (
                Wanted("variance_power", ("normal",))
                if f.kind == "power"
                else Wanted("variance_exp", ("normal",), unit=1 / base_sd)
            )
    if spec.correlated:
        wanted["correlation"] = Wanted("correlation", ("lkj",))
    return wanted | latent.wanted(spec)


def _exponents(system) -> set[str]:
    """Parameters that are exponents in a product of powers or a sum of such."""
    found, parameters = set(), set(system.parameters)
    for tree in branches(system):
        form = power_product(tree, parameters)
        for term in (form,) if form else additive_terms(tree, parameters) or ():
            found |= {e for _, e in term.powers if isinstance(e, str)}
    return found
