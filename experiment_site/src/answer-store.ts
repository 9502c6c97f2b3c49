// Where answers wait until the server has them: IndexedDB, so that they survive a reload or a crash of the browser.

import { type DBSchema, openDB } from "idb";
import type { Response } from "./contract";

/** Which session the answers belong to. All parts count: on one machine, studies share an origin and so a database. */
export interface SessionKey {
  readonly study_id: string;
  readonly trialset_id: number;
  readonly platform: string;
  readonly assignment_id: string;
}

/** The waiting answers of one session. */
export interface AnswerStore {
  waiting(): Promise<Response[]>;
  put(response: Response): Promise<void>;
  remove(indices: readonly number[]): Promise<void>;
}

interface AnswersSchema extends DBSchema {
  answers: { key: [session: string, index: number]; value: { session: string; index: number; response: Response } };
}

/** Open the store; where the browser refuses to keep anything, answers wait in memory and are sent all the same. */
export async function openAnswerStore(key: SessionKey): Promise<AnswerStore> {
  try {
    return await openIndexedDb(key);
  } catch (error) {
    console.warn("answers cannot be kept in this browser; a reload may lose those not yet sent", error);
    return memoryStore();
  }
}

async function openIndexedDb(key: SessionKey): Promise<AnswerStore> {
  const session = JSON.stringify([key.study_id, key.trialset_id, key.platform, key.assignment_id]);
  const database = await openDB<AnswersSchema>("lwise", 1, {
    upgrade(fresh) {
      fresh.createObjectStore("answers", { keyPath: ["session", "index"] });
    },
  });
  const ofSession = IDBKeyRange.bound([session, 0], [session, Number.MAX_SAFE_INTEGER]);
  return {
    async waiting() {
      return (await database.getAll("answers", ofSession)).map((row) => row.response);
    },
    async put(response) {
      // "strict": written to the disk when the promise resolves, not only handed to the operating system.
      const transaction = database.transaction("answers", "readwrite", { durability: "strict" });
      await Promise.all([transaction.store.put({ session, index: response.index, response }), transaction.done]);
    },
    async remove(indices) {
      const transaction = database.transaction("answers", "readwrite");
      await Promise.all([...indices.map((index) => transaction.store.delete([session, index])), transaction.done]);
    },
  };
}

function memoryStore(): AnswerStore {
  const rows = new Map<number, Response>();
  return {
    waiting: async () => [...rows.values()],
    put: async (response) => {
      rows.set(response.index, response);
    },
    remove: async (indices) => {
      for (const index of indices) {
        rows.delete(index);
      }
    },
  };
}
