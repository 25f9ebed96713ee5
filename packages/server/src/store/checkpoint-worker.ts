/** The thread of `checkpoints.ts`: is sent a file, makes its checkpoint, and answers; is sent nothing, and ends. */
import { Database } from "bun:sqlite";

export interface CheckpointAnswer {
  readonly file: string;
  readonly problem?: string;
}

const databases = new Map<string, Database>();

addEventListener("message", ({ data: file }: MessageEvent<string | undefined>) => {
  if (file === undefined) {
    for (const database of databases.values()) database.close();
    process.exit(); // of this thread
  }
  let answer: CheckpointAnswer = { file };
  try {
    const database = databases.get(file) ?? new Database(file, { readwrite: true });
    databases.set(file, database);
    database.run("PRAGMA wal_checkpoint(PASSIVE)"); // waits for nobody, and nobody waits for it
  } catch (problem) {
    answer = { file, problem: String(problem) };
  }
  postMessage(answer);
});
