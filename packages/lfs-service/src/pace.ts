import { setImmediate as macrotask } from "node:timers/promises";

/** To sign as many for Google, with a key, takes ten milliseconds. */
const SIGNED_AT_A_TIME = 16;

/** To sign takes the processor, and a batch can ask for thousands of signatures: after some, others get their turn. */
export class Pace {
  #signed = 0;
  #turn: Promise<void> = Promise.resolve();

  /** Resolves when it may be signed, whoever else is waiting. */
  turn(): Promise<void> {
    const turn = this.#turn;
    this.#signed += 1;
    if (this.#signed % SIGNED_AT_A_TIME === 0) this.#turn = turn.then(() => macrotask());
    return turn;
  }
}
