"""The original's flags, with the original's names and meaning."""

from dataclasses import replace

import pytest

from gmvae.cli import app
from gmvae.cli.original import main, translate
from gmvae.config import Config, ObjectiveConfig, TrainingConfig
from gmvae.experiments import experiment
from gmvae.store.model_file import ModelFile


def configured(name: str, command: str) -> Config:
    return app.parse(Config, "test", translate(name, command.split()), experiment(name))


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
        ("-lambda 0.7 -cvWeight 1", "objective", {"min_information": 0.7}),
        ("-saveFig 20 -visualGen 5", "run", {"keep_every": 20, "plot_every": 5}),
        ("-dataSet spiral", "data", {"dataset": "spiral"}),
        ("-ACC 0 -saveModel 0 -_id mine", "run",
         {"measure": False, "save_model": False, "run_dir": "runs/mine"}),
        ("-ACC 1 -saveModel 1", "run", {"measure": True, "save_model": True}),
        ("-visualise2D 0", "run", {"plots": ("bound", "consistency")}),
        ("-inputDimension 1 -nChannels 1 -nFilters 9 -visualGen 0", "model", {"network": "fc", "filters": 9}),
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
        (["-gpuID", "first"], "-gpuID is 'first': the original counts GPUs from 1"),
        (["-lambda", "0.5", "-cvWeight", "2"], "here it is 1, so leave -cvWeight out"),
        (["-saveFig", "often"], "-saveFig is 'often': it must be a whole number of at least 0"),
        (["-inputDimension", "2"], "-inputDimension is '2': for spiral it must be 1"),
        (["-nChannels", "many"], "-nChannels is 'many': for spiral it must be 1"),
        (["-cvWeigth", "1"], "-cvWeigth"),
        (["-K", "-3"], "clusters is -3"),
    ],
)
def test_bad_flags_give_one_line(flags, message, capsys):
    assert main(["spiral", *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


IMAGES = ["mnist", "mnist_fc", "svhn"]


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_pictures_of_what_clusters_generate(name):
    usual = experiment(name).run
    assert "samples" in usual.plots
    off = configured(name, "-visualGen 0").run
    assert off.plots == tuple(plot for plot in usual.plots if plot != "samples")
    assert off.plot_every == usual.plot_every
    fifth = configured(name, "-visualGen 5").run
    assert set(fifth.plots) == set(usual.plots)
    assert fifth.plot_every == 5
    assert configured(name, "-visualGen 12").run.plot_every == 12
    given = configured(name, "-visualGen 3 -visualise2D 0 -reportLowerBound 0").run
    assert set(given.plots) == set(usual.plots) - {"latent", "recon", "bound", "consistency"}
    assert given.plot_every == 3


def test_points_have_pictures_of_what_clusters_generate_where_asked_for():
    assert configured("spiral", "-visualGen 0").run == experiment("spiral").run
    asked = configured("spiral", "-visualGen 7").run
    assert asked.plots == (*experiment("spiral").run.plots, "samples")
    assert asked.plot_every == 7


@pytest.mark.parametrize("name", IMAGES)
def test_flags_about_images(name):
    channels = 3 if name == "svhn" else 1
    config = configured(name, f"-nChannels {channels} -nFilters 8 -subEpoch 700 -inputDimension 2")
    usual = experiment(name)
    assert config == replace(
        usual,
        model=replace(usual.model, filters=8),
        training=replace(usual.training, epoch_size=700),
    )


@pytest.mark.parametrize(
    ("name", "network", "hidden_size"),
    [("mnist", "conv", 500), ("mnist_fc", "fc", 1000), ("svhn", "svhn", 500)],
)
def test_commands_of_the_originals_readme(name, network, hidden_size):
    usual = experiment(name)
    assert configured(name, "") == usual
    assert configured(name, "-gpu 0") == replace(usual, training=replace(usual.training, device="cpu"))
    assert configured(name, "-gpu 1") == replace(usual, training=replace(usual.training, device="cuda:0"))
    sizes = usual.model
    assert (sizes.network, sizes.hidden_size, sizes.x_size, sizes.w_size) == (network, hidden_size, 200, 150)
    assert (sizes.clusters, sizes.likelihood) == (10 if name == "svhn" else 14, "bernoulli")
    assert sizes.assignment == ("posterior" if name == "svhn" else "recogniser")


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("svhn", "-nChannels 1", "-nChannels is '1': for svhn it must be 3"),
        ("mnist", "-nChannels 3", "-nChannels is '3': for mnist it must be 1"),
        ("mnist_fc", "-nChannels 3", "-nChannels is '3': for mnist_fc it must be 1"),
        ("mnist", "-visualGen -1", "-visualGen is '-1': it must be a whole number of at least 0"),
        ("mnist", "-visualGen often", "-visualGen is 'often': it must be a whole number of at least 0"),
        ("mnist", "-visualGen", "-visualGen has no value"),
        ("mnist", "-nFilters 0", "filters is 0: it must be a whole number of at least 1"),
        ("svhn", "-cvWeight 0.4", "-cvWeight is '0.4', by which version 2 of the original multiplies"),
        ("svhn", "-gpuID 0", "-gpuID is '0': the original counts GPUs from 1"),
        ("svhn", "-numTest all", "-numTest is 'all': it must be a whole number of at least 1"),
        ("svhn", "-preprocess 2", "-preprocess is '2': it must be 0 or 1"),
        ("svhn", "-subEpoch -3", "--epoch-size is -3: it must be a whole number of at least 0"),
        ("cifar", "-gpu 0", "experiment is 'cifar': it must be one of data, spiral, mnist"),
    ],
)
def test_bad_flags_about_images_give_one_line(name, flags, message, capsys):
    assert main([name, *flags.split()]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_flags_of_the_branch_svhn():
    """-numTest and -preprocess have no effect in the original either; only -gpu 0 avoids the GPU."""
    usual = experiment("svhn")
    assert usual.objective.min_information == 0
    assert configured("svhn", "-numTest 26000 -preprocess 1 -cvWeight 1 -zPriorWeight 1") == usual
    device = {
        flags: configured("svhn", flags).training.device for flags in ("-gpuID 2", "-gpuID 2 -gpu 0", "")
    }
    assert device == {"-gpuID 2": "cuda:1", "-gpuID 2 -gpu 0": "cpu", "": "auto"}
    assert configured("svhn", "-saveFig 20").run.keep_every == 20


@pytest.mark.parametrize("name", ["spiral", "mnist", "mnist_fc"])
def test_version_2_has_the_sizes_of_version_1_and_the_originals_steps(name):
    one, two = experiment(name), experiment(f"{name}_version2")
    assert two.model == replace(one.model, assignment="posterior")
    assert (two.data, two.run) == (one.data, one.run)
    assert two.objective == ObjectiveConfig(min_information=0.5)
    size, epochs = (200, 500) if name == "spiral" else (50, 100)
    steps = {"optimiser": "sign", "learning_rate": 1e-4, "batch_size": size, "epochs": epochs}
    assert two.training == TrainingConfig(**steps)
    dimensions = "1" if name == "spiral" else "2"
    assert configured(f"{name}_version2", f"-inputDimension {dimensions} -nChannels 1") == two


@pytest.mark.slow
def test_pictures_are_kept_beside_the_newest(tmp_path):
    train = [
        "train",
        "spiral_version2",
        "--epochs",
        "3",
        "--points",
        "300",
        "--hidden-size",
        "8",
        "--device",
        "cpu",
    ]
    train += ["--plot-every", "3", "--keep-every", "2", "--plots", "latent", "bound"]
    assert app.main([*train, "--run-dir", str(tmp_path / "run")]) == 0
    assert {path.name for path in (tmp_path / "run" / "plots").glob("*.png")} == {
        "latent.png", "latent-2.png", "bound.png", "bound-2.png",
    }  # fmt: skip


@pytest.mark.slow
def test_flags_of_both_kinds_train_on_images(small_mnist, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GMVAE_DATA_DIR", str(small_mnist))
    flags = "-gpu 0 -nFilters 2 -hiddenSize 16 -xSize 3 -wSize 2 -epoch 1 -subEpoch 100 -visualGen 0 -_id one"
    assert main(["mnist", *flags.split(), "--plots", "shares"]) == 0
    assert capsys.readouterr().err == ""
    model = ModelFile.load(tmp_path / "runs" / "one" / "model.safetensors").model
    assert (model.config.filters, model.config.hidden_size, model.config.network) == (2, 16, "conv")
    assert (tmp_path / "runs" / "one" / "plots" / "shares.png").exists()
