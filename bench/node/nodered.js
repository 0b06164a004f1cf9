/*
 * The workloads on Node-RED, embedded as its guide shows: no HTTP between the
 * clock and the flow, no editor. A run enters at the first node of a flow and is
 * over when the last node calls back.
 *
 * node nodered.js WORKLOAD '{"seconds": 1, ...}'   prints one line of JSON.
 */
"use strict";

const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { performance } = require("perf_hooks");

const LENGTH = 10; // as in steps.py
const MAPPED = 5;
const FLOWS = { W1: ten, W2: fan, W3: nap, W4: carry, cold: ten };

const waiting = new Map();
let last = 0;

/* -- the flows ----------------------------------------------------------- */

function chain(bodies) {
    const done = "global.get('done')(msg.run, msg.payload); return null;";
    return [...bodies, done].map((func, i) => ({
        id: `n${i}`, z: "flow", type: "function", name: `step ${i}`, func, outputs: 1,
        timeout: 0, initialize: "", finalize: "", libs: [], wires: i < bodies.length ? [[`n${i + 1}`]] : [[]],
    }));
}

function ten() {
    return chain(Array(LENGTH).fill("msg.payload = msg.payload + 1; return msg;"));
}

function nap() {
    return chain(["await new Promise((resolve) => setTimeout(resolve, 50)); return msg;"]);
}

function carry() {
    const body = "msg.payload = {rows: msg.payload.rows, n: msg.payload.n + 1}; return msg;";
    return chain(Array(MAPPED).fill(body));
}

function fan() {
    const [work, sum, end] = chain([
        "msg.payload = msg.payload * 2; return msg;",
        "msg.payload = msg.payload.reduce((a, b) => a + b, 0); return msg;",
    ]);
    const split = {
        id: "split", z: "flow", type: "split", splt: "\\n", spltType: "str", arraySplt: 1,
        arraySpltType: "len", stream: false, addname: "", property: "payload", wires: [["n0"]],
    };
    const join = {
        id: "join", z: "flow", type: "join", mode: "auto", build: "array", property: "payload",
        propertyType: "msg", key: "topic", joiner: "\\n", joinerType: "str", count: "",
        timeout: "", accumulate: false, reduceRight: false, wires: [["n1"]],
    };
    return [split, { ...work, wires: [["join"]] }, join, sum, end];
}

/* -- the runtime --------------------------------------------------------- */

async function start(flow) {
    const RED = require("node-red");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-node-red-"));
    process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
    const tab = { id: "flow", type: "tab", label: "bench", disabled: false };
    // A node without a place on the canvas would be taken for a configuration node.
    const placed = flow.map((node, i) => ({ ...node, x: 100, y: 40 * i }));
    fs.writeFileSync(path.join(folder, "flows.json"), JSON.stringify([tab, ...placed]));
    const started = new Promise((resolve) => RED.events.once("flows:started", resolve));
    RED.init(http.createServer(), {
        userDir: folder, flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: false,
        telemetry: { enabled: false, updateNotification: false },
        functionGlobalContext: { done: finish }, credentialSecret: false,
        logging: { console: { level: "error", metrics: false, audit: false } },
    });
    await RED.start();
    await started;
    return RED.nodes.getNode(flow[0].id);
}

function finish(run, payload) {
    const resolve = waiting.get(run);
    waiting.delete(run);
    resolve(payload);
}

function runner(entry) {
    return (payload) => new Promise((resolve) => {
        const run = ++last;
        waiting.set(run, resolve);
        entry.receive({ run, payload });
    });
}

/* -- the clock, as in measure.py ----------------------------------------- */

function check(expected, found) {
    if (expected !== found) throw new Error(`expected ${expected}, found ${found}`);
}

function percentile(values, share) {
    const ordered = Float64Array.from(values).sort();
    return ordered[Math.min(ordered.length - 1, Math.floor(share * ordered.length))];
}

async function oneByOne(run, seconds) {
    for (let v = 0; v < 5; v++) check(v + LENGTH, await run(v));
    const taken = [];
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end || taken.length < 20) {
        const before = performance.now();
        const found = await run(taken.length);
        taken.push(performance.now() - before);
        check(taken.length - 1 + LENGTH, found);
    }
    return taken;
}

async function together(run, workers, rounds) {
    const taken = [];
    async function worker(first) {
        for (let v = first; v < first + rounds; v++) {
            const before = performance.now();
            const found = await run(v);
            taken.push(performance.now() - before);
            check(v + LENGTH, found);
        }
    }
    const before = performance.now();
    await Promise.all(Array.from({ length: workers }, (_, w) => worker(w * rounds)));
    return [(performance.now() - before) / 1000, taken];
}

async function throughput(run, workers, seconds) {
    for (let rounds = 1; ;) {
        const [whole, taken] = await together(run, workers, rounds);
        if (whole >= seconds / 2) return [taken.length / whole, taken];
        rounds = Math.max(rounds * 2, Math.min(rounds * 20, Math.floor((rounds * seconds) / whole)));
    }
}

async function repeated(times, run) {
    await run();
    const taken = [];
    for (let i = 0; i < times; i++) {
        const before = performance.now();
        await run();
        taken.push(performance.now() - before);
    }
    return percentile(taken, 0.5);
}

/* -- the workloads ------------------------------------------------------- */

const MEASURES = {
    async W1(run, sizes) {
        const alone = await oneByOne(run, sizes.seconds);
        const [rate, taken] = await throughput(run, sizes.workers, sizes.seconds);
        return {
            step_us: (percentile(alone, 0.5) * 1000) / LENGTH,
            run_us_p50: percentile(alone, 0.5) * 1000,
            run_us_p99: percentile(alone, 0.99) * 1000,
            steps_per_s: rate * LENGTH,
            together_ms_p50: percentile(taken, 0.5),
            together_ms_p99: percentile(taken, 0.99),
        };
    },
    async W2(run, sizes) {
        const items = Array.from({ length: sizes.fan_out }, (_, i) => i);
        const total = sizes.fan_out * (sizes.fan_out - 1);
        return { ms: await repeated(sizes.repeats, async () => check(total, await run(items))) };
    },
    async W3(run, sizes) {
        const all = Array.from({ length: sizes.parallel }, (_, i) => i);
        const once = async () => {
            const found = await Promise.all(all.map(run));
            found.forEach((value, i) => check(i, value));
        };
        const ms = await repeated(sizes.repeats, once);
        return { ms, of_ideal: ms / 50 };
    },
    async W4(run, sizes) {
        const rows = JSON.parse(fs.readFileSync(sizes.rows, "utf8"));
        const end = rows[rows.length - 1].note;
        const once = async () => {
            const found = await run({ rows, n: 0 });
            check(MAPPED, found.n);
            check(rows.length, found.rows.length);
            check(end, found.rows[rows.length - 1].note);
        };
        return { ms: await repeated(sizes.repeats, once) };
    },
    async cold(run) {
        check(LENGTH, await run(0));
        return {};
    },
};

async function main(workload, sizes) {
    const entry = await start(FLOWS[workload]());
    const metrics = await MEASURES[workload](runner(entry), sizes);
    const status = fs.readFileSync("/proc/self/status", "utf8");
    metrics.rss_mb = Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
    process.stdout.write(`${JSON.stringify({ metrics })}\n`, () => process.exit(0));
}

main(process.argv[2], JSON.parse(process.argv[3])).catch((error) => {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`, () => process.exit(1));
});
