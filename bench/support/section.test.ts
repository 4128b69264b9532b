import assert from "node:assert/strict";
import { test } from "node:test";
import { atLeast, below } from "./bench.ts";
import { section } from "./section.ts";
import { ratio } from "./series.ts";

test("a section says whether each aim was met, by the exact value, and who took no part", () => {
  const bench = { name: "load", title: "A load", about: "How.", run: () => Promise.reject(new Error("is not run")) };
  const aims = [
    atLeast("of the floor", 0.8, 0.8, ratio),
    atLeast("of the floor", 0.8, 0.7999, ratio),
    below("of the client", 1, 0.99, ratio),
    below("of the client", 1, 1, ratio),
  ];
  assert.equal(
    section(
      bench,
      { aims, tables: ["| one |", "| two |"] },
      { leftOut: new Map([["slow 1.0", "no `batch`:\n  404"]]), footnote: "here, today" },
    ),
    `## A load

How.

| aim | reached |  |
|---|---:|---|
| of the floor: ≥ 0.80 | 0.80 | met |
| of the floor: ≥ 0.80 | 0.80 | **not met** |
| of the client: < 1.00 | 0.99 | met |
| of the client: < 1.00 | 1.00 | **not met** |

| one |

| two |

slow 1.0 could not take part: \`no 'batch': 404\`

<sub>here, today</sub>`,
  );
});
