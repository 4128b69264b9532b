import { parentPort, workerData } from "node:worker_threads";
import type { Request } from "./messages.ts";
import { WriteConnection } from "./write-connection.ts";

/** What {@link Writer} starts this thread with. */
export interface WriterThreadData {
  readonly file: string;
  readonly busyLimit: number;
}

if (parentPort === null) throw new Error("this module is the entry of a thread; import writer.ts instead");
const port = parentPort;
const { file, busyLimit } = workerData as WriterThreadData;
const connection = new WriteConnection(file, busyLimit);

port.on("message", (request: Request) => {
  port.postMessage(connection.handle(request));
  // Without its port the thread has nothing to wait for, and ends.
  if (request.do === "close") port.close();
});
