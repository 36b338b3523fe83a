"""The text of docs/reliability.md around what the suite finds."""

TEXT = """# Reliability

A fit does not depend on its tracker. A run appends all that is recorded of it to `journal.jsonl` in its own folder, and a
process of its own, the recorder, delivers the journal to MLflow while the run goes on and afterwards.

## What is promised

- Whatever happens to the store after the checks at the start, the fit ends with its files and exit code 0, and with at most
  three lines on stderr. After `tracking.wait` seconds it says in one sentence why the run is not in the store yet;
  `tracking.required=true` makes the exit code 1.
- As soon as the store works again, the recorder delivers, up to 30 seconds after the run; later `python -m polyexp
  action=sync` does. No run is lost, and none is there twice, whoever delivers and however often; a store that has been made
  anew gets everything again.
- A run that is killed is closed as KILLED, and all that it has seen is in the store within 15 seconds; where its recorder was
  killed, too, the next run into the same store or `action=sync` does that.
- A run whose own folder is deleted, full or read-only ends with exit code 1 and one sentence. What had been delivered stays,
  and the run is closed as KILLED, or as FAILED where its journal still could be written.
- A store is made only where nothing is, by any number of processes at once. A damaged one is named and never replaced.
- A folder belongs to one run; a second run into it is refused with exit code 2.
- SIGINT (Ctrl-C), SIGTERM and SIGHUP end a run within its current block of steps, at most half a second, with its checkpoint
  and files, at most three lines and exit code 130, 143 or 129; MLflow has it as KILLED with the outcome INTERRUPTED, or as
  FINISHED where the fit had ended. Before the run begins, they leave nothing. A second signal ends the process at once.
- A run that was interrupted, or killed, goes on by `python -m polyexp resume=<folder or id>` in the same folder and the same
  run of MLflow. Its parameters, its history.csv and its snapshots are to the bit those of an uninterrupted run on the same
  machine; on another backend, or with another processor's code, they are equal within what rounding explains. Another model,
  problem or data file is refused before anything is changed.
- Of a checkpoint the old or the new one is read, whatever fails, is killed or is damaged while or after it is written.
- A replay of a run is identical to the bit on the same machine; elsewhere it names what is not the same, as the kernel. (A job
  of a sweep that was computed in a batch is rounded otherwise alone, and its replay names that.)
- Of a curve at most 1000 points are delivered: the early ones, evenly spread others, and the last. `history.csv`, which is an
  artifact of the run, has all.

What is wrong with a store at the start of a run is refused with exit code 2, and nothing is left behind.

## How it was tried

`make test-reliability REPORT=1` made this table with real processes: runs of some seconds, SQLite stores, small disks, and an
MLflow server behind a proxy that does a fault to calls of one kind, or to all. Where a server fails, each row has one case for
each kind of call: to get and create an MLflow experiment, to search, create and update a run, to log a batch and its dataset,
to upload a file, and to set a tag of the MLflow experiment. "Answer lost" means that the server does what it is asked for, and
the connection breaks before it says so. Every fault lasts until the fit has ended, unless a time is given; then it is mended,
and `action=sync` runs beside the recorder. The store is afterwards compared with the journal and the files of the run: its
params, tags, points, dataset, artifacts, status and times. A sample of the suite runs in `.ci/run`.

<details markdown>
<summary>The table of all cases in which a store, a folder or a process fails</summary>

{table}

</details>

{facts}

In the following tables a run of about a second, alone on its machine, gets a signal at a random time of one of its phases,
which a seed decides: at the start, as soon as polyexp handles signals; while libraries are imported; during the fit; while
pictures are made; and while it is delivered, in three of four such cases to a store that is locked meanwhile. Its journal
must keep every line that it had, and have every loss that was printed; it must say no more than three lines that an
uninterrupted run does not say; the store must have all of its journal. In half of the cases it writes checkpoints every
0.1 s, in the others only where it is interrupted, so that it begins anew after SIGKILL; a quarter of those that were killed
are resumed at once, while their recorders still close them. Resumed, and delivered by `action=sync` where that is needed, the
files, the journal and the store are compared with those of an uninterrupted run. The exit code -9 is the end by SIGKILL. The
seconds until a run had ended hold its block of steps, its checkpoint and its files, and of a fit that had ended its pictures,
on a machine that runs four of these cases at once; 15 seconds were allowed.

A sweep gets Ctrl-C on a pseudo terminal, at a random time while its jobs run, and is resumed by the command that it
prints; its jobs are compared with those of an uninterrupted sweep, and its table with the store.

A run that goes on elsewhere is compared with an uninterrupted one on the first backend. The bound is for gradient descent on
40 samples that are not reduced, and follows from the number of operations of a step, the sizes of their terms and the
condition number (`tests/helpers/rounding.py`): it is no tolerance that was tuned. The distance is the Euclidean one of the
parameters, the largest of all snapshots; "to the bit" are the parameters with all losses and norms of gradients.

{tables}

## What the folder of a run costs

| File | Size | After the delivery |
|---|---|---|
| `journal.jsonl` | 5 kB, and 170 bytes and 20 a parameter for each snapshot | needed to resume the run, and for another store |
| `history.csv` | 70 bytes and 20 a parameter for each snapshot | a copy is in MLflow |
| `result.json`, `config.yaml`, pictures, `page.html` | 3 kB, 1 kB, 50 to 100 kB each, 5 MB | copies are in MLflow |
| `polyexp.log` | what was printed; with `quiet=true` without the losses | may be deleted |
| `delivery.json`, `recorder.log` | less than 1 kB; the latter only where a delivery failed | may be deleted with the journal |

`python -m polyexp action=sync action.dry_run=true` lists what is not delivered yet, and how much the folders hold. Once a run
is delivered, its whole folder may be deleted, unless it is to be resumed: `compare` and `export` read from MLflow.
`delivery.json` alone may be deleted at any time; the next delivery then looks everything up in the store. `action=sync` asks a
SQLite store which runs it has, as an older copy may have been put back in its place. So a run that was removed from the store
for good (`mlflow gc`) is delivered again as long as its folder is there.
"""
