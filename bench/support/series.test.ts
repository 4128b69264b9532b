import assert from "node:assert/strict";
import { test } from "node:test";
import { markdownTable } from "./markdown.ts";
import { named, number, seriesColumns, takeTurns } from "./series.ts";

test("contestants take turns, round by round, and another one begins each time", async () => {
  const order: string[] = [];
  const contestant = (name: string) => ({
    name,
    run: async (round: number) => {
      order.push(`${name}${round}`);
      return { value: round };
    },
  });
  const said: string[] = [];
  const series = await takeTurns([contestant("a"), contestant("b")], 2, (text) => said.push(text));
  assert.deepEqual(order, ["a0", "b0", "b1", "a1"]);
  assert.deepEqual(named(series, "b").samples, [{ value: 0 }, { value: 1 }]);
  assert.equal(said.length, 4);
});

test("one that can take part no longer leaves no results behind, and the others go on", async () => {
  const steady = { name: "steady", run: async (round: number) => ({ value: round }) };
  const tired = { name: "tired", run: async (round: number) => (round < 1 ? { value: round } : undefined) };
  assert.deepEqual(await takeTurns([tired, steady], 3, () => {}), [
    { name: "steady", samples: [{ value: 0 }, { value: 1 }, { value: 2 }] },
  ]);
});

test("a series that was not measured is not made up", () => {
  assert.throws(() => named([{ name: "a", samples: [] }], "b"), /nothing was measured of b/);
});

test("a table compares with the floor and shows what was measured", () => {
  const floor = { name: "floor", samples: [{ value: 1000 }, { value: 2000 }, { value: 3000 }] };
  const holdall = {
    name: "Holdall",
    samples: [
      { value: 800, serverCpu: 1, peakBytes: 100 * 1024 * 1024 },
      { value: 1000, serverCpu: 3, peakBytes: 200 * 1024 * 1024 },
      { value: 2700, serverCpu: 2, peakBytes: 150 * 1024 * 1024 },
    ],
  };
  assert.deepEqual(markdownTable([floor, holdall], seriesColumns([floor, holdall], "MB/s", floor)).split("\n"), [
    "|  | MB/s, median | lowest to highest | of the floor | server CPU, s | server's peak memory, MiB |",
    "|---|---:|---:|---:|---:|---:|",
    "| floor | 2,000 | 1,000 – 3,000 | 1.00 | – | – |",
    "| Holdall | 1,000 | 800 – 2,700 | 0.80 | 2.00 | 200 |",
  ]);
});

test("numbers have the digits that mean something", () => {
  assert.deepEqual([0.5, 4.56789, 42.123, 1234.6, 1_000_000].map(number), [
    "0.5",
    "4.57",
    "42.1",
    "1,235",
    "1,000,000",
  ]);
});
