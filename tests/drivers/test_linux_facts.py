"""Facts that every Linux has: CPU cores and what follows from them."""

from harness.drivers import linux_facts


def test_cores_without_a_frequency_have_no_clusters_and_no_mask():
    cores = linux_facts.parse_cores("0 - - -\n1 1800000 - -\n")
    assert (linux_facts.clusters(cores), linux_facts.big_cores(cores), linux_facts.taskset_mask(())) == (
        None,
        (),
        None,
    )


def test_equal_cores_are_all_big():
    cores = linux_facts.parse_cores("".join(f"{n} 2000000 - performance\n" for n in range(4)))
    assert linux_facts.taskset_mask(linux_facts.big_cores(cores)) == "f"
