/** Ends a script with one sentence instead of a stack: what is missing on this machine is no fault of the program. */
export async function orSay(main: Promise<void>): Promise<void> {
  try {
    await main;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
