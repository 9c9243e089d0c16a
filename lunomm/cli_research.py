"""Commands about the model that need no market: no exchange, no Redis, no key, no LUNOMM_ variable."""

from __future__ import annotations

import typer

from lunomm import cli_options as o

RESEARCH = "The model, without a market"

app = typer.Typer()


@app.command(rich_help_panel=RESEARCH)
def simulate(
    s: o.PaperS = 100.0,
    horizon: o.PaperT = 1.0,
    sigma: o.PaperSigma = 2.0,
    dt: o.PaperDt = 0.005,
    kappa: o.PaperKappa = 1.5,
    intensity: o.PaperA = 140.0,
    gamma: o.PaperGamma = 0.1,
    runs: o.PaperRuns = 1000,
    seed: o.PaperSeed = 1,
    strategy: o.Strategies = None,
    fills: o.PaperFills = "linear",
    plot: o.PaperPlot = None,
    json: o.PlainJson = False,
    debug: o.PlainDebug = False,
) -> None:
    """The experiment of Avellaneda & Stoikov (2008), section 3.3: profit and inventory of each strategy."""
    from lunomm.options.simulate import STRATEGIES, SimulateOptions

    options = SimulateOptions(
        s=s,
        horizon=horizon,
        sigma=sigma,
        dt=dt,
        kappa=kappa,
        intensity=intensity,
        gamma=gamma,
        runs=runs,
        seed=seed,
        strategies=tuple(dict.fromkeys(strategy)) if strategy else STRATEGIES,
        fills=fills,
        plot=plot,
    )
    from lunomm.commands.simulate import run as experiment

    experiment(options, json=json)
