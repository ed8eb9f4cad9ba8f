"""Observers of a run that remember what they were told."""


class Recorder:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.total, self.tasks, self.finished, self.images_done = 0, [], [], 0
        self.waits = []

    def begin(self, n_tasks):
        self.total += n_tasks

    def more(self, n_tasks):
        self.total += n_tasks

    def task(self, task):
        self.tasks.append((task.cell.model.name, str(task.cell.delegate), task.kind, task.repetition))

    def images(self, task, done, total):
        self.images_done = done

    def waiting(self, task, seconds, limit):
        self.waits.append((task.kind, seconds, limit))

    def done(self, task, record):
        self.finished.append(record)


class Quiet:
    """An observer that remembers which records were finished."""

    def __init__(self):
        self.finished = []

    def begin(self, n_tasks):
        pass

    more = begin

    def task(self, task):
        pass

    def images(self, task, done, total):
        pass

    def waiting(self, task, seconds, limit):
        pass

    def done(self, task, record):
        self.finished.append(record)
