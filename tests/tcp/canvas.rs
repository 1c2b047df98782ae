//! The canvas: what `CANVAS` lists, and the `DRAW` events that follow.

use std::thread;

use chinwag::limits::CANVAS_STROKES_MAX;

use crate::common::Server;

const DRAWERS: usize = 4;
const STROKES: usize = 300;

/// A guest joins and leaves while others draw. The list and the events that follow are the beginning of the final canvas.
#[test]
fn canvas_and_draw_events_have_no_gap_or_duplicate() {
    let server = Server::start();
    let mut visits = Vec::new();
    thread::scope(|scope| {
        let drawers = (0..DRAWERS).map(|number| {
            let mut client = server.join(&format!("drawer{number}"));
            scope.spawn(move || {
                for stroke in 0..STROKES {
                    client.send(&format!("DRAW #1e90ff 40 {number},{stroke}"));
                    client.sync();
                }
            })
        });
        let drawers: Vec<_> = drawers.collect();
        while !drawers.iter().all(thread::ScopedJoinHandle::is_finished) {
            visits.push(visit(&server));
        }
    });
    let all = visit(&server);
    assert_eq!(all.len(), DRAWERS * STROKES);
    assert!(visits.len() > 3, "{} visits", visits.len());
    for seen in visits {
        assert_eq!(seen, all[..seen.len()]);
    }
}

/// The strokes on the canvas, and those drawn for a while after that.
fn visit(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    client.send_bytes(b"SET draw on\nNICK guest\nCANVAS\nPING a\n");
    let lines = client.until("OK PING a");
    let end = lines.iter().position(|line| line.starts_with("OK CANVAS ")).expect("an answer");
    let mut seen = told(&lines[..end], "STROKE ");
    assert_eq!(lines[end], format!("OK CANVAS {}", seen.len()));
    seen.extend(told(&lines[end..], "DRAW "));
    for _ in 0..20 {
        seen.extend(told(&client.sync(), "DRAW "));
    }
    client.send("QUIT");
    seen.extend(told(&client.rest(), "DRAW "));
    seen
}

fn told(lines: &[String], word: &str) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
}

/// Members without `SET draw on` get no strokes.
#[test]
fn full_canvas_evicts_oldest_strokes() {
    let server = Server::start();
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| server.join(name));
    ann.sync();
    let strokes = (0..CANVAS_STROKES_MAX + 10).map(|number| format!("DRAW #1e90ff 40 {number},0\n"));
    ann.send_bytes(strokes.collect::<String>().as_bytes());
    assert_eq!(ann.sync(), vec!["OK DRAW"; CANVAS_STROKES_MAX + 10]);
    assert_eq!(bob.sync(), Vec::<String>::new());
    bob.send("CANVAS");
    bob.expect("STROKE ann #1e90ff 40 10,0");
    let rest = bob.until(&format!("OK CANVAS {CANVAS_STROKES_MAX}"));
    assert_eq!(told(&rest, "STROKE ").len(), CANVAS_STROKES_MAX - 1);
    ann.send("DRAW clear");
    ann.sync();
    bob.send("CANVAS");
    bob.expect("OK CANVAS 0");
}
