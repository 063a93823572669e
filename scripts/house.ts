// Prints what the house measures: the files that a reader of one backup and of one restore goes through, and the sizes.
// Usage: npm run house [-- --files]
import { startPostgres } from "../test/support/postgres.ts";
import { sizes } from "./house/sizes.ts";
import { walk } from "./house/walk.ts";

await using server = await startPostgres();
const { backup, restore } = await walk(server);
const { files, lines, testLines, median, ninetieth, folders } = await sizes();
console.log(`files in which a function runs during one backup    ${backup.length}`);
console.log(`files in which a function runs during one restore   ${restore.length}`);
console.log(`source files, lines                                 ${files}, ${lines}`);
console.log(`lines of a file: median, 90th percentile            ${median}, ${ninetieth}`);
console.log(`fullest folders                                     ${folders.slice(0, 5).join("  ")}`);
console.log(`lines of tests                                      ${testLines}`);
if (process.argv.includes("--files")) console.log(JSON.stringify({ backup, restore }, undefined, 1));
