// Loaded into programs by `--import`: connections that stand still are broken off after one second, not after fifty.
import { Socket } from "node:net";

const SOONER = 50;

const setIdle: unknown = Reflect.get(Socket.prototype, "setTimeout");
if (typeof setIdle !== "function") throw new Error("sockets have no time-outs");

Socket.prototype.setTimeout = function (milliseconds, whenIdle): Socket {
  Reflect.apply(setIdle, this, [milliseconds / SOONER, whenIdle]);
  return this;
};
