// What this wallet remembers: the only place that touches IndexedDB.
//
// A phone that showed a code and forgot it would sign the same units again and look like a cheat. So every change is
// one transaction with strict durability, it is finished before anything is shown, and one tab writes at a time: two
// tabs would otherwise pay with the same units. If this were spread over the app, one forgotten await would cost money.

const NAME = "tikiwallet";
const VERSION = 2;
const WRITER = "tikiwallet-writer";

/** The tables and what each row is found by. */
const TABLES = /** @type {const} */ ({
  facts: "name", // one value by name: who I am, what the operator said, the book of units
  keys: "public_key", // my keys, private halves not extractable
  documents: "id", // vouchers, payments and certificates that travel with my money
  asked: "nonce", // requests that I showed
  received: "payment_id", // payments that I took, with their receipts
  refused: "payment_id", // payments that I refused
  paid: "payment_id", // payments that I made
  outbox: "entry_id", // what the operator has not seen yet
  orders: "order_id", // online payments that I ordered, from the moment I pressed Pay
  shown: "reference", // my requests that the operator knows, so that they can be paid online
  movements: "transfer_id", // what happened to my online balance, as the operator told it
});

/** @typedef {keyof typeof TABLES} Table */
/**
 * One change of a transaction: a row to put, or the key of a row to remove.
 * @typedef {{ table: Table, put: any } | { table: Table, remove: IDBValidKey }} Change
 */

/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** Return the database, made if need be. Rejects where the browser keeps nothing (some private windows). */
function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const [table, keyPath] of Object.entries(TABLES)) {
        if (!request.result.objectStoreNames.contains(table)) request.result.createObjectStore(table, { keyPath });
      }
    };
    request.onsuccess = () => {
      // A newer app in another tab wants to change the tables: let it, and start again with it.
      request.result.onversionchange = () => {
        request.result.close();
        location.reload();
      };
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Return a row, or null. @param {Table} table @param {IDBValidKey} key @returns {Promise<any>} */
export async function find(table, key) {
  const db = await database();
  return (await answered(db.transaction(table).objectStore(table).get(key))) ?? null;
}

/** Return all rows of a table. @param {Table} table @returns {Promise<any[]>} */
export async function all(table) {
  const db = await database();
  return answered(db.transaction(table).objectStore(table).getAll());
}

/** Return a fact, or null. @param {string} name @returns {Promise<any>} */
export async function fact(name) {
  return (await find("facts", name))?.value ?? null;
}

/** Return the change that remembers a fact. @param {string} name @param {any} value @returns {Change} */
export function remember(name, value) {
  return { table: "facts", put: { name, value } };
}

/**
 * Make changes all together or not at all; they are on the disk when this resolves.
 * @param {readonly Change[]} changes @returns {Promise<void>}
 */
export async function write(changes) {
  if (changes.length === 0) return;
  const db = await database();
  const tables = [...new Set(changes.map((change) => change.table))];
  const transaction = db.transaction(tables, "readwrite", { durability: "strict" });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
  try {
    for (const change of changes) {
      const table = transaction.objectStore(change.table);
      if ("put" in change) table.put(change.put);
      else table.delete(change.remove);
    }
  } catch (error) {
    transaction.abort(); // else what was asked for until here would be kept
    await done.catch(() => undefined);
    throw error;
  }
  await done;
}

/**
 * Do some work as the only writer among all tabs. Read, decide and write inside it: between them nobody else changes
 * anything. Not to be called inside itself.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
export function exclusive(work) {
  return /** @type {Promise<T>} */ (navigator.locks.request(WRITER, work));
}

/**
 * Do some work that belongs to this tab until it is done; a tab that dies gives it up at once.
 * @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>}
 */
export function whileMine(name, work) {
  return /** @type {Promise<T>} */ (navigator.locks.request(`tikiwallet-${name}`, work));
}

/**
 * Do some work if no tab has this name to itself: whoever began it is gone.
 * @param {string} name @param {() => Promise<void>} work @returns {Promise<void>}
 */
export async function ifNobodys(name, work) {
  await navigator.locks.request(`tikiwallet-${name}`, { ifAvailable: true }, (lock) => lock && work());
}
