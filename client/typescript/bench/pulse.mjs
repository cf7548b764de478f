/** For how long event loops stand still. As a program of its own it is a loop that has nothing else to do. */

import { PerformanceObserver, performance } from "node:perf_hooks";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

const BEAT_MS = 1;

/** Looks how late each beat of this thread's loop is, and what of that is V8's garbage collector, in milliseconds. */
export class Pulse {
  #gaps = [];
  #collections = [];
  #timer;
  #observer;

  start() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries())
        this.#collections.push({ from: startTime, to: startTime + duration });
    });
    this.#observer.observe({ entryTypes: ["gc"] });
    let last = performance.now();
    const beat = () => {
      const now = performance.now();
      this.#gaps.push({ from: last + BEAT_MS, to: now });
      last = now;
      this.#timer = setTimeout(beat, BEAT_MS);
    };
    this.#timer = setTimeout(beat, BEAT_MS);
  }

  /** The longest that the loop stood still without the collector, and the longest for the collector. */
  async stop() {
    clearTimeout(this.#timer);
    // What was collected last is told later.
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.#observer.disconnect();
    let [longest, collected] = [0, 0];
    for (const gap of this.#gaps) {
      const within = this.#collections.reduce((sum, { from, to }) => {
        return sum + Math.max(0, Math.min(to, gap.to) - Math.max(from, gap.from));
      }, 0);
      longest = Math.max(longest, gap.to - gap.from - within);
      collected = Math.max(collected, within);
    }
    return { longest, collected };
  }
}

/** Runs something, and tells for how long this loop stood still, and one that has nothing to do. */
export async function pulses(work) {
  const idle = new Worker(new URL(import.meta.url));
  await new Promise((resolve) => idle.once("message", resolve));
  const pulse = new Pulse();
  pulse.start();
  await work();
  const busy = await pulse.stop();
  const told = new Promise((resolve) => idle.once("message", resolve));
  idle.postMessage("stop");
  const nothing = await told;
  await idle.terminate();
  return { busy, nothing };
}

if (!isMainThread && parentPort) {
  const pulse = new Pulse();
  pulse.start();
  parentPort.postMessage("started");
  parentPort.once("message", async () => parentPort.postMessage(await pulse.stop()));
}
