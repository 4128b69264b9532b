#!/usr/bin/env node
import { start } from "./start.js";

start("holdall", () => import("../src/main.ts"));
