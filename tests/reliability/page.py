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

{table}

{facts}

## What the folder of a run costs

| File | Size | After the delivery |
|---|---|---|
| `journal.jsonl` | 5 kB, and 170 bytes and 20 a parameter for each snapshot | may be deleted, but is needed for another store |
| `history.csv` | 70 bytes and 20 a parameter for each snapshot | a copy is in MLflow |
| `result.json`, `config.yaml`, pictures, `page.html` | 3 kB, 1 kB, 50 to 100 kB each, 5 MB | copies are in MLflow |
| `polyexp.log` | what was printed; with `quiet=true` without the losses | may be deleted |
| `delivery.json`, `recorder.log` | less than 1 kB; the latter only where a delivery failed | may be deleted with the journal |

`python -m polyexp action=sync action.dry_run=true` lists what is not delivered yet, and how much the folders hold. Once a run
is delivered, its whole folder may be deleted: `compare` and `export` read from MLflow. `delivery.json` alone may be deleted
at any time; the next delivery then looks everything up in the store. `action=sync` asks a SQLite store which runs it has, as an
older copy may have been put back in its place. So a run that was removed from the store for good (`mlflow gc`) is delivered
again as long as its folder is there.
"""
