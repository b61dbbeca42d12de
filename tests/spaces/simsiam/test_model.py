import pytest
import torch
import torch.nn.functional as F

from spaces.simsiam import model
from spaces.simsiam.model import SimSiam
from spaces.simsiam.settings import Settings


def network(**settings):
    net = SimSiam(Settings(**settings), 1, 8)
    model.initialise(net, torch.Generator().manual_seed(0))
    return net


def views(count=32):
    return torch.rand(2 * count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_loss_is_the_papers_symmetric_loss():
    net, pair = network(), views()
    z, p, target = net(pair)
    (z1, z2), (p1, p2) = z.chunk(2), p.chunk(2)
    papers = -(F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()) / 2
    assert net.loss(p, target).item() == pytest.approx(papers.item(), abs=1e-6)


def test_stop_gradient_is_the_gradient_with_a_constant_target():
    net, pair = network(), views()
    z, p, target = net(pair)
    net.loss(p, target).backward()
    stopped = [q.grad.clone() for q in net.parameters()]
    net.zero_grad()
    _, p, other = network(stop_gradient=False)(pair)
    _, p, _ = net(pair)
    net.loss(p, other.detach()).backward()
    assert all(torch.allclose(a, q.grad, atol=1e-7) for a, q in zip(stopped, net.parameters(), strict=True))
    free = network(stop_gradient=False)
    _, p, target = free(pair)
    assert target.requires_grad and not net(pair)[2].requires_grad


def test_least_squares_is_the_optimum():
    net, pair = network(predictor="least_squares"), views(128)
    z, p, target = net(pair)
    a, b = F.normalize(z, dim=1), F.normalize(target, dim=1)
    weights = model.least_squares(z, target, net.settings)
    ridge = model.RIDGE / net.settings.dim  # the mean eigenvalue of unit vectors' second moments is 1/d

    def cost(w):
        return ((a @ w - b) ** 2).sum(1).mean() + ridge * (w**2).sum()

    noise = torch.randn(weights.shape, generator=torch.Generator().manual_seed(2))
    assert all(cost(weights) < cost(weights + step * noise) for step in (1e-2, -1e-2, 1e-3, -1e-3))
    assert torch.allclose(p, a @ weights, atol=1e-5)


def test_mean_target_is_the_center_for_both_views():
    net, center = network(target="mean"), torch.rand(32, 1, 8, 8)
    _, _, target = net(views(), center)
    assert torch.allclose(target, net.embed(center).repeat(2, 1), atol=1e-6)


def test_teacher_gets_no_gradient():
    net, teacher = network(target="ema", stop_gradient=False), network()
    _, p, target = net(views(), teacher=teacher)
    net.loss(p, target).backward()
    assert all(q.grad is None for q in teacher.parameters())


@pytest.mark.parametrize("norm, layers", [("none", 0), ("hidden", 2), ("default", 3)])
def test_batch_norm_sits_where_the_table_says(norm, layers):
    net = network(batch_norm=norm)
    heads = [*net.projector.modules(), *net.predictor.modules()]
    assert sum(isinstance(part, torch.nn.BatchNorm1d) for part in heads) == layers
    if norm == "default":
        assert torch.allclose(net.embed(views()).std(0, correction=0), torch.ones(64), atol=0.01)


def test_fixed_predictor_does_not_learn_and_none_is_identity():
    assert not any(q.requires_grad for q in network(predictor="fixed").predictor.parameters())
    z, p, _ = network(predictor="none")(views())
    assert torch.equal(z, p)


@pytest.mark.parametrize("encoder", ["convnet", "vit"])
@pytest.mark.parametrize("channels, side", [(1, 8), (3, 32)])
def test_encoders_take_both_sizes(encoder, channels, side):
    net = SimSiam(Settings(encoder=encoder), channels, side)
    model.initialise(net, torch.Generator().manual_seed(0))
    features = net.encoder(torch.rand(4, channels, side, side))
    assert features.shape == (4, model.FEATURES) and features.std() > 0
    assert 1e5 < sum(q.numel() for q in net.parameters()) < 5e5


def test_initialisation_is_torchs_own():
    torch.manual_seed(0)
    reference, ours = SimSiam(Settings(), 1, 8), network()
    for (name, a), b in zip(reference.named_parameters(), ours.parameters(), strict=True):
        assert a.std().item() == pytest.approx(b.std().item(), rel=0.25, abs=0.02), name


def test_initialisation_touches_no_global_state():
    net, before = SimSiam(Settings(encoder="vit"), 1, 8), torch.get_rng_state()
    model.initialise(net, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())
