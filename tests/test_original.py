"""The original's flags, with the original's names and meaning."""

import pytest

from gmvae import cli
from gmvae.config import Config
from gmvae.experiments import experiment
from gmvae.original import main, translate


def configured(name: str, command: str) -> Config:
    return cli.parse(Config, "test", translate(name, command.split()), experiment(name))


@pytest.mark.parametrize(
    ("flags", "section", "expected"),
    [
        ("-cvWeight 0.0", "objective", {"cv_weight": 0.0}),
        ("-zPriorWeight 0.0", "objective", {"z_prior_weight": 0.0}),
        ("-nMC 10", "objective", {"mc_samples": 10}),
        ("-lambda 0.7", "objective", {"min_information": 0.7}),
        ("-lambda 0.7", "model", {"assignment": "posterior"}),
        ("-xSize 3 -wSize 4 -K 5 -hiddenSize 6", "model",
         {"x_size": 3, "w_size": 4, "clusters": 5, "hidden_size": 6}),
        ("-continuous 0 -network fc", "model", {"likelihood": "bernoulli", "network": "fc"}),
        ("-continuous 1", "model", {"likelihood": "gaussian"}),
        ("-seed 7 -learningRate 0.01 -batchSize 9 -epoch 3 -optimiser sgd", "training",
         {"seed": 7, "learning_rate": 0.01, "batch_size": 9, "epochs": 3, "optimiser": "sgd"}),
        ("-gpu 0", "training", {"device": "cpu"}),
        ("-gpu 1", "training", {"device": "cuda:0"}),
        ("-gpu 1 -gpuID 2", "training", {"device": "cuda:1"}),
        ("-gpuID 2", "training", {"device": "auto"}),
        ("-dataSet spiral", "data", {"dataset": "spiral"}),
        ("-ACC 0 -saveModel 0 -_id mine", "run",
         {"measure": False, "save_model": False, "run_dir": "runs/mine"}),
        ("-ACC 1 -saveModel 1", "run", {"measure": True, "save_model": True}),
        ("-visualise2D 0", "run", {"plots": ("bound", "consistency")}),
        ("-inputDimension 1 -nChannels 1 -nFilters 16 -visualGen 0", "model", {"network": "fc"}),
        ("-reportLowerBound 0 -visualise2D 1", "run", {"plots": ("latent", "recon")}),
    ],
)  # fmt: skip
def test_flags_mean_what_they_meant(flags, section, expected):
    values = configured("spiral", flags).to_json()[section]
    assert {name: values[name] for name in expected} == expected


def test_both_kinds_of_flags_may_be_mixed():
    config = configured("spiral", "--epochs 5 -cvWeight 0.5 --seed 3")
    assert (config.training.epochs, config.training.seed, config.objective.cv_weight) == (5, 3, 0.5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-cvWeight"], "-cvWeight has no value"),
        (["-ACC", "yes"], "-ACC is 'yes': it must be 0 or 1"),
        (["-gpu", "1", "-gpuID", "0"], "-gpuID is '0': the original counts GPUs from 1"),
        (["-inputDimension", "2"], "spiral has no images, so it must be 1"),
        (["-cvWeigth", "1"], "-cvWeigth"),
        (["-K", "-3"], "clusters is -3"),
    ],
)
def test_bad_flags_are_one_line(flags, message, capsys):
    assert main(["spiral", *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["mnist", "mnist_fc", "svhn"])
def test_what_is_not_here_yet_says_so(name, capsys):
    assert main([name, "-gpu", "1"]) == 2
    assert capsys.readouterr().err == f"gmvae: {name} comes next: this version has spiral\n"
