//! Reads what the benchmarks leave: criterion's data, and what they are the times of.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use losscheck::error::DataError;
use serde::Deserialize;

use crate::record::{
    COPY, Calibration, ELEMENTARY, FRAMEWORKS_FILE, FRAMEWORKS_FORMAT, FrameworkTimes, FrameworksRecord, RUN_FORMAT,
    RunRecord, WorkloadRecord, run_file,
};
use crate::report::document::{
    Calibrations, Cell, FORMAT, Figure, FrameworksRun, NOT_MEASURED, Performance, REFERENCE, REFERENCE_INTO, Range,
    Row, RunSummary,
};
use crate::report::json::{from_file, from_json};
use crate::size::Size;

/// The order of the columns; others follow, and the other frameworks after them.
const ORDER: &[&str] = &[REFERENCE, REFERENCE_INTO, "candle-nn", "candle", "tch"];

/// What criterion's `benchmark.json` says, as far as it matters here.
#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
}

/// Criterion's `sample.json`.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// The `sample.json` of each benchmark, by its group and function.
type Samples = HashMap<(String, String), PathBuf>;

/// Reads what the benchmarks left in criterion's folder.
///
/// Benchmarks that no run mentions are others', or older ones.
///
/// # Errors
///
/// Returns an error if there is no run, or if a file cannot be read or contradicts itself or another.
pub fn read(folder: &Path) -> Result<Performance, DataError> {
    let mut runs = Vec::new();
    let mut rows = Vec::new();
    let samples = samples(folder)?;
    for (threads, file) in run_files(folder)? {
        let run: RunRecord = from_file(&file, RUN_FORMAT)?;
        if run.threads != threads {
            let message = format!("`threads`: {}, expected {threads} as in the file's name", run.threads);
            return Err(DataError::new(&file, message));
        }
        rows.extend(workloads(&run, &file, &samples)?);
        runs.push(summary(run).map_err(|message| DataError::new(&file, message))?);
    }
    let found: BTreeSet<String> = rows.iter().flat_map(|row| row.cells.keys().cloned()).collect();
    let known = ORDER.iter().map(|name| (*name).to_owned()).filter(|name| found.contains(name));
    let others = found.iter().filter(|name| !ORDER.contains(&name.as_str())).cloned();
    let mut backends: Vec<String> = known.chain(others).collect();

    let file = folder.join(FRAMEWORKS_FILE);
    let frameworks = if file.exists() { Some(frameworks(&file, &mut rows, &mut backends)?) } else { None };
    for row in &mut rows {
        for backend in &backends {
            let absent = || Cell::Absent { absent: NOT_MEASURED.to_owned() };
            row.cells.entry(backend.clone()).or_insert_with(absent);
        }
    }
    rows.sort_by(|one, other| one.key().cmp(&other.key()));
    Ok(Performance { format: FORMAT.to_owned(), backends, runs, frameworks, rows })
}

/// Returns the files of the runs, by their number of threads.
fn run_files(folder: &Path) -> Result<BTreeMap<usize, PathBuf>, DataError> {
    let threads = |path: &Path| -> Option<usize> {
        let name = path.file_name()?.to_str()?;
        let threads = name.strip_prefix("losscheck-threads-")?.strip_suffix(".json")?.parse().ok()?;
        (run_file(threads) == name).then_some(threads)
    };
    let files: BTreeMap<usize, PathBuf> =
        entries(folder)?.into_iter().filter_map(|path| Some((threads(&path)?, path))).collect();
    if files.is_empty() {
        let message = format!("has no {}, expected what `cargo bench` leaves", run_file(1));
        return Err(DataError::new(folder, message));
    }
    Ok(files)
}

/// Returns the files of criterion's samples. Their folders are searched, because criterion cuts long names off. If that made
/// two folders of one benchmark, the newer one counts.
fn samples(folder: &Path) -> Result<Samples, DataError> {
    let mut found: HashMap<(String, String), (SystemTime, PathBuf)> = HashMap::new();
    for group in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        for function in entries(&group)?.into_iter().filter(|path| path.is_dir()) {
            let described = function.join("new").join("benchmark.json");
            if !described.exists() {
                continue;
            }
            let Benchmark { group_id, function_id: Some(function_id) } = from_json(&described)? else { continue };
            let sample = function.join("new").join("sample.json");
            let modified = fs::metadata(&sample).and_then(|data| data.modified());
            let modified = modified.map_err(|error| DataError::new(&sample, format!("cannot be read: {error}")))?;
            let key = (group_id, function_id);
            if found.get(&key).is_none_or(|(before, _)| *before < modified) {
                found.insert(key, (modified, sample));
            }
        }
    }
    Ok(found.into_iter().map(|(key, (_, sample))| (key, sample)).collect())
}

/// Returns what is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error: std::io::Error| DataError::new(folder, format!("cannot be read: {error}"));
    let entries = fs::read_dir(folder).map_err(unreadable)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort();
    Ok(entries)
}

/// Returns the rows of a run.
fn workloads(run: &RunRecord, file: &Path, samples: &Samples) -> Result<Vec<Row>, DataError> {
    let mut by_group: HashMap<&str, Vec<(&str, &Path)>> = HashMap::new();
    for ((group, function), sample) in samples {
        by_group.entry(group).or_default().push((function, sample));
    }
    let mut ids = HashSet::new();
    let mut rows = Vec::new();
    for (place, workload) in run.workloads.iter().enumerate() {
        let field =
            |name: &str, message: String| Err(DataError::new(file, format!("`workloads[{place}].{name}`: {message}")));
        let WorkloadRecord { id, loss, pass, shape, dtype, .. } = workload;
        let expected = format!("{loss}/{pass}/{shape}/{dtype}");
        if *id != expected {
            return field("id", format!("`{id}`, expected `{expected}` as in the other fields"));
        }
        if !ids.insert(id) {
            return field("id", format!("`{id}` stands twice, expected each workload once"));
        }
        if workload.elements == 0 || workload.bytes == 0 {
            return field("elements", "no elements or no bytes, expected some".to_owned());
        }
        let (mut cells, mut copy, mut elementary) = (BTreeMap::new(), None, None);
        let group = if run.threads == 1 { id.clone() } else { format!("threads-{}/{id}", run.threads) };
        for (function, sample) in by_group.get(group.as_str()).into_iter().flatten() {
            let figure = figure(sample)?;
            match *function {
                COPY => copy = Some(figure),
                ELEMENTARY => elementary = Some(figure),
                backend => {
                    cells.insert(backend.to_owned(), Cell::Timed(figure));
                }
            }
        }
        // What criterion has of a backend that the run could not time is from an earlier run.
        cells.extend(
            workload.absent.iter().map(|(name, reason)| (name.clone(), Cell::Absent { absent: reason.clone() })),
        );
        rows.push(Row {
            loss: loss.clone(),
            pass: *pass,
            dtype: dtype.clone(),
            size: workload.size,
            elements: workload.elements,
            shape: shape.clone(),
            threads: run.threads,
            bytes: workload.bytes,
            cells,
            copy,
            elementary,
            workspace: workload.workspace,
            noisy: workload.noisy.clone(),
        });
    }
    Ok(rows)
}

/// Returns the figure of criterion's samples.
fn figure(file: &Path) -> Result<Figure, DataError> {
    let Sample { iters, times } = from_json(file)?;
    if iters.len() != times.len() {
        let message = format!("`times`: {} numbers, expected {} as in `iters`", times.len(), iters.len());
        return Err(DataError::new(file, message));
    }
    let samples: Vec<f64> = times.iter().zip(&iters).map(|(time, iterations)| time / iterations).collect();
    Figure::of(&samples).ok_or_else(|| DataError::new(file, "`times`: expected positive numbers, and at least one"))
}

/// Returns a run without its workloads.
fn summary(run: RunRecord) -> Result<RunSummary, String> {
    let RunRecord { date, processor, threads, versions, calibrations, .. } = run;
    let mut copy: BTreeMap<Size, Vec<f64>> = BTreeMap::new();
    for (place, calibration) in calibrations.iter().enumerate() {
        let field = |name: &str| format!("`calibrations[{place}].{name}`");
        for (&size, &speed) in &calibration.copy {
            if speed <= 0.0 {
                return Err(format!("{}: {speed}, expected gigabytes a second above 0", field("copy")));
            }
            copy.entry(size).or_default().push(speed);
        }
        if calibration.arithmetic <= 0.0 {
            return Err(format!("{}: {}, expected nanoseconds above 0", field("arithmetic"), calibration.arithmetic));
        }
    }
    let range = |of: fn(&Calibration) -> f64| {
        Range::of(&calibrations.iter().map(of).collect::<Vec<_>>()).ok_or("`calibrations`: none, expected at least one")
    };
    let calibrations = Calibrations {
        count: calibrations.len(),
        copy: copy.into_iter().filter_map(|(size, speeds)| Some((size, Range::of(&speeds)?))).collect(),
        arithmetic: range(|calibration| calibration.arithmetic)?,
        busy: range(|calibration| calibration.busy)?,
    };
    Ok(RunSummary { threads, date, processor, versions, calibrations })
}

/// Adds the cells of the other frameworks to the rows and their names to the backends.
fn frameworks(file: &Path, rows: &mut [Row], backends: &mut Vec<String>) -> Result<FrameworksRun, DataError> {
    let FrameworksRecord { date, threads, mut versions, cells, .. } = from_file(file, FRAMEWORKS_FORMAT)?;
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.threads == threads) {
        places.insert(format!("{}/{}/{}/{}", row.loss, row.pass, row.shape, row.dtype), place);
    }
    if places.is_empty() {
        let message = format!("`threads`: {threads}, expected a run with as many, in {}", run_file(threads));
        return Err(DataError::new(file, message));
    }
    for (place, cell) in cells.into_iter().enumerate() {
        let field = |name: &str, message: String| DataError::new(file, format!("`cells[{place}].{name}`: {message}"));
        let FrameworkTimes { workload, backend, nanoseconds, absent } = cell;
        let Some(row) = places.get(&workload).and_then(|&row| rows.get_mut(row)) else {
            let message = format!("`{workload}`, expected a workload of {}", run_file(threads));
            return Err(field("workload", message));
        };
        let figure = match absent {
            Some(absent) if nanoseconds.is_empty() => Cell::Absent { absent },
            Some(_) => return Err(field("absent", "a reason beside times, expected one of the two".to_owned())),
            None => Cell::Timed(Figure::of(&nanoseconds).ok_or_else(|| {
                field("nanoseconds", "expected positive numbers, and at least one where nothing is `absent`".to_owned())
            })?),
        };
        if !backends.contains(&backend) {
            backends.push(backend.clone());
        }
        if row.cells.insert(backend.clone(), figure).is_some() {
            return Err(field("backend", format!("`{backend}` has this workload already, expected it once")));
        }
    }
    // Of all that are installed, those that ran.
    versions.retain(|name, _| backends.contains(name));
    Ok(FrameworksRun { threads, date, versions })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::report::goals::Goals;
    use crate::report::page::page;

    fn write(file: &Path, value: &Value) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, value.to_string()).unwrap();
    }

    fn workload(loss: &str) -> Value {
        json!({
            "id": format!("{loss}/forward/128/f32"), "loss": loss, "pass": "forward", "shape": "128", "dtype": "f32",
            "size": "small", "tensors": {"input": [128], "target": [128]}, "elements": 128, "bytes": 1028, "absent": {}, "noisy": null,
            "workspace": {"bytes": 40, "documented": 8192},
        })
    }

    fn run(threads: usize, workloads: &[Value]) -> Value {
        let calibration = |copy: f64| json!({"after": null, "copy": {"small": copy, "memory": 10.0}, "arithmetic": 1000.0, "busy": 0.01});
        json!({
            "format": RUN_FORMAT, "date": "2026-11-26", "processor": "A Processor", "threads": threads,
            "versions": {"reference": "losscheck-reference 0.1.0"},
            "calibrations": [calibration(20.0), calibration(22.0), calibration(30.0)], "workloads": workloads,
        })
    }

    /// Writes what criterion leaves of samples of so many nanoseconds.
    fn bench(folder: &Path, place: &str, group: &str, function: &str, samples: &[f64]) {
        let new = folder.join(place).join("new");
        write(&new.join("benchmark.json"), &json!({"group_id": group, "function_id": function, "title": "more"}));
        let iters: Vec<f64> = (1..=samples.len()).map(|count| count as f64).collect();
        let times: Vec<f64> = samples.iter().zip(&iters).map(|(sample, count)| sample * count).collect();
        write(&new.join("sample.json"), &json!({"sampling_mode": "Flat", "iters": iters, "times": times}));
    }

    fn criterion() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut mse = workload("mse_loss");
        mse["absent"] = json!({"candle": "no such loss"});
        write(&path.join(run_file(1)), &run(1, &[mse, workload("l1_loss")]));
        write(&path.join(run_file(2)), &run(2, &[workload("l1_loss")]));
        for loss in ["mse_loss", "l1_loss"] {
            let group = format!("{loss}/forward/128/f32");
            for (function, time) in [("tch", 300.0), ("reference", 100.0), ("reference-into", 90.0), ("candle", 1.0)] {
                let samples = [0.9, 1.0, 1.1, 1.0, 9.0].map(|factor| factor * time);
                bench(path, &format!("{loss}_forward_128_f32/{function}"), &group, function, &samples);
            }
        }
        bench(path, "l1_loss_forward_128_f32/elementary", "l1_loss/forward/128/f32", "elementary", &[70.0]);
        bench(path, "l1_loss_forward_128_f32/copy", "l1_loss/forward/128/f32", "copy", &[60.0]);
        bench(path, "cut_off/reference", "threads-2/l1_loss/forward/128/f32", "reference", &[50.0]);
        bench(path, "others/that", "something/else", "reference", &[50.0]);
        fs::create_dir_all(path.join("report")).unwrap();
        folder
    }

    fn message(folder: &Path) -> String {
        read(folder).unwrap_err().to_string()
    }

    #[test]
    fn criterion_and_the_runs_make_a_document() {
        let folder = criterion();
        let performance = read(folder.path()).unwrap();
        assert_eq!(performance.backends, ["reference", "reference-into", "candle", "tch"]);
        let names: Vec<String> = performance.rows.iter().map(Row::name).collect();
        assert_eq!(names, ["l1_loss/forward/128/f32", "l1_loss/forward/128/f32/threads-2", "mse_loss/forward/128/f32"]);
        let [one, two, mse] = &performance.rows[..] else { panic!("three rows") };
        assert_eq!(one.figure("reference"), Some(Figure { nanoseconds: 100.0, spread: 0.1 }));
        assert_eq!(two.figure("reference"), Some(Figure { nanoseconds: 50.0, spread: 0.0 }));
        assert_eq!(one.elementary, Some(Figure { nanoseconds: 70.0, spread: 0.0 }));
        assert_eq!(one.copy, Some(Figure { nanoseconds: 60.0, spread: 0.0 }));
        assert_eq!((mse.elementary, mse.workspace.map(|workspace| workspace.bytes)), (None, Some(40)));
        assert_eq!(two.absence("tch"), Some(NOT_MEASURED));
        // The run says that there is none, whatever criterion has from before.
        assert_eq!(mse.absence("candle"), Some("no such loss"));
        let copy = performance.runs[0].calibrations.copy[&Size::Small];
        assert_eq!(copy, Range { median: 22.0, lowest: 20.0, highest: 30.0 });

        let page = page(&performance, &Goals::default());
        assert!(!page.contains(&*folder.path().to_string_lossy()) && !page.contains("/tmp"), "{page}");
        assert!(!performance.to_text().contains(&*folder.path().to_string_lossy()));
    }

    #[test]
    fn frameworks_are_columns_after_the_others() {
        let folder = criterion();
        let cell = |backend: &str, nanoseconds: &[f64], absent: Option<&str>| json!({"workload": "l1_loss/forward/128/f32", "backend": backend, "nanoseconds": nanoseconds, "absent": absent});
        let frameworks = |cells: &[Value]| {
            let versions = json!({"xla": "jax 0.1", "idle": "1.0"});
            let frameworks = json!({
                "format": FRAMEWORKS_FORMAT, "date": "2026-11-27", "threads": 1, "versions": versions, "cells": cells
            });
            write(&folder.path().join(FRAMEWORKS_FILE), &frameworks);
        };
        frameworks(&[cell("xla", &[10.0, 30.0], None), cell("torch.compile", &[], Some("it fails"))]);
        let performance = read(folder.path()).unwrap();
        assert_eq!(performance.backends[4..], ["xla", "torch.compile"]);
        assert_eq!(performance.rows[0].nanoseconds("xla"), Some(20.0));
        let versions = performance.frameworks.expect("a run of other frameworks").versions;
        assert!(versions.contains_key("xla") && !versions.contains_key("idle"), "{versions:?}");
        assert_eq!(performance.rows[0].absence("torch.compile"), Some("it fails"));

        frameworks(&[cell("xla", &[], None)]);
        assert!(
            message(folder.path()).contains("losscheck-frameworks.json: `cells[0].nanoseconds`: expected positive")
        );
        frameworks(&[cell("xla", &[1.0], Some("but"))]);
        assert!(message(folder.path()).contains("`cells[0].absent`: a reason beside times"));
        frameworks(&[cell("tch", &[1.0], None)]);
        assert!(message(folder.path()).contains("`cells[0].backend`: `tch` has this workload already"));
        let mut unknown = cell("xla", &[1.0], None);
        unknown["workload"] = json!("l1_loss/forward/7/f32");
        frameworks(&[unknown]);
        assert!(message(folder.path()).contains("expected a workload of losscheck-threads-1.json"));
    }

    #[test]
    fn bad_data_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(message(&path.join("none")).contains("cannot be read"));
        assert!(message(path).contains("has no losscheck-threads-1.json"));

        let broken = |threads: usize, change: &dyn Fn(&mut Value)| {
            let mut value = run(1, &[workload("l1_loss")]);
            change(&mut value);
            fs::remove_file(path.join(run_file(1))).ok();
            write(&path.join(run_file(threads)), &value);
            let message = message(path);
            fs::remove_file(path.join(run_file(threads))).unwrap();
            message
        };
        type Change<'a> = &'a dyn Fn(&mut Value);
        let changes: [(Change<'_>, &str); 10] = [
            (&|run| run["format"] = json!("no"), "`format`: `no`, expected `losscheck-run/3`"),
            (&|run| run["date"] = json!(3), "`date`: invalid type"),
            (
                &|run| run["workloads"][0]["id"] = json!("x"),
                "`workloads[0].id`: `x`, expected `l1_loss/forward/128/f32`",
            ),
            (
                &|run| run["workloads"][0]["size"] = json!("huge"),
                "`workloads[0].size`: unknown variant `huge`, expected one of `small`, `L2`",
            ),
            (
                &|run| run["workloads"][0]["pass"] = json!("back"),
                "`workloads[0].pass`: unknown variant `back`, expected `forward` or",
            ),
            (
                &|run| run["calibrations"][1]["copy"] = json!({"L4": 1.0}),
                "`calibrations[1].copy`: unknown variant `L4`, expected one of",
            ),
            (&|run| run["workloads"][0]["elements"] = json!(0), "`workloads[0].elements`: no elements"),
            (&|run| run["workloads"] = json!([workload("l1_loss"), workload("l1_loss")]), "stands twice"),
            (&|run| run["calibrations"] = json!([]), "`calibrations`: none, expected at least one"),
            (&|run| run["calibrations"][1]["arithmetic"] = json!(0), "`calibrations[1].arithmetic`: 0, expected"),
        ];
        for (change, expected) in changes {
            let message = broken(1, change);
            assert!(message.contains(expected) && message.contains("losscheck-threads-1.json"), "{message}");
        }
        assert!(broken(3, &|_| {}).contains("`threads`: 1, expected 3 as in the file's name"));

        write(&path.join(run_file(1)), &run(1, &[workload("l1_loss")]));
        bench(path, "l1/tch", "l1_loss/forward/128/f32", "tch", &[]);
        assert!(message(path).contains("sample.json: `times`: expected positive numbers"));
        write(&path.join("l1/tch/new/sample.json"), &json!({"iters": [1.0, 0.0], "times": [1.0, 2.0]}));
        assert!(message(path).contains("`times`: expected positive numbers"));
        write(&path.join("l1/tch/new/sample.json"), &json!({"iters": [1.0], "times": []}));
        assert!(message(path).contains("`times`: 0 numbers, expected 1 as in `iters`"));
        fs::remove_file(path.join("l1/tch/new/sample.json")).unwrap();
        assert!(message(path).contains("sample.json: cannot be read"));
    }
}
