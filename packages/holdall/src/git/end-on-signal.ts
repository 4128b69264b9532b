import { setTimeout as delay } from "node:timers/promises";
import { removeTemporaries } from "@holdall/git-store/core";
import {
  Layer,
  type CopyOptions,
  type ObjectKey,
  type ObjectVersion,
  type PutOptions,
} from "@holdall/object-store/open";

/** What programs are ended by. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** How long what is on its way to a store may take to be given up, in milliseconds. */
const GIVING_UP = 5000;

const stopped = new AbortController();
/** Writes to all stores of this process. */
const underway = new Set<Promise<unknown>>();

/**
 * Has signals end the process as if nobody had listened, but for what it has begun: temporary files go, and uploads to stores behind
 * {@link StoppableStore} are given up, of which the store would keep the parts otherwise.
 * @returns what ends that
 */
export function endOnSignals(): () => void {
  for (const signal of SIGNALS) process.on(signal, end);
  return () => SIGNALS.forEach((signal) => process.off(signal, end));
}

function end(signal: NodeJS.Signals): void {
  removeTemporaries();
  // Git sends it once more, and so may somebody who is impatient.
  if (stopped.signal.aborted) return;
  stopped.abort(new Error(`stopped by ${signal}`));
  if (underway.size === 0) return die(signal);
  void Promise.race([Promise.allSettled(underway), delay(GIVING_UP)]).finally(() => die(signal));
}

function die(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** A store whose writes are given up when a signal ends the process. Nobody hears of it: there is nothing more to be done. */
export class StoppableStore extends Layer {
  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return await untilStopped(this.inner.put(key, body, { ...o, signal: stopping(o.signal) }));
  }

  override async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions = {}): Promise<ObjectVersion> {
    return await untilStopped(this.inner.copy(from, to, { ...o, signal: stopping(o.signal) }));
  }
}

function stopping(signal: AbortSignal | undefined): AbortSignal {
  return signal === undefined ? stopped.signal : AbortSignal.any([stopped.signal, signal]);
}

async function untilStopped<T>(write: Promise<T>): Promise<T> {
  underway.add(write);
  try {
    return await write;
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    return await new Promise<never>(() => {});
  } finally {
    underway.delete(write);
  }
}
