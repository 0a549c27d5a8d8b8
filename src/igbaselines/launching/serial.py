"""Jobs one after another, in this process: nothing to set up, and a terminal shows all of it."""

import logging
from collections.abc import Sequence

from igbaselines.common.stopping import StoppedError
from igbaselines.launching.jobs import COMPLETE, KILLED, RUNNING, Job, check_gpu
from igbaselines.reporting.render import render_run
from igbaselines.running.config import explanation, one_line
from igbaselines.running.runner import execute

log = logging.getLogger(__name__)


def run_one_by_one(jobs: Sequence[Job]) -> None:
    """Do all jobs; each is told how it ended.

    Raises:
        UserError: if there is no GPU for those that ask for one.
        StoppedError: if a stop was asked for.
    """
    check_gpu(jobs)
    for job in jobs:
        assert job.run is not None
        log.info("job %s", job.label)
        job.state = RUNNING
        try:
            execute(job.run, render_run)
        except StoppedError:
            job.fail("stopped: the same command goes on from here", KILLED)
            raise
        except Exception as error:
            line = explanation(error)[0] or one_line(error)
            log.error("failed: %s", line)
            job.fail(line)
        else:
            job.state, job.seconds = COMPLETE, job.time_of_run()
