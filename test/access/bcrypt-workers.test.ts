// The pool of bcrypt threads: order, limits, and what happens when a thread dies.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { BcryptWorkers } from '../../src/access/bcrypt-workers.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-'))
after(() => rmSync(folder, { recursive: true }))

/** A worker that answers with its thread's number, and dies or hangs when told to. */
const script = join(folder, 'worker.mjs')
writeFileSync(
  script,
  `import { parentPort, threadId } from 'node:worker_threads'
parentPort.on('message', ({ password, salt }) => {
  if (password === 'die') process.exit(1)
  if (password === 'throw') throw new Error('broken')
  if (password === 'refuse') parentPort.postMessage({ error: 'refused' })
  else if (password !== 'hang') parentPort.postMessage({ hash: threadId + ' ' + salt })
})`,
)

function workers(context: { after(end: () => Promise<void>): void }, limits: { threads: number; waiting?: number }) {
  const pool = new BcryptWorkers(limits, pathToFileURL(script))
  context.after(() => pool.close())
  return pool
}

test('computes in one thread, in order', async (context) => {
  const pool = workers(context, { threads: 1 })
  const done: number[] = []
  const answers = await Promise.all([1, 2, 3].map((salt) => pool.hash('x', salt).finally(() => done.push(salt))))
  assert.deepEqual(done, [1, 2, 3])
  assert.equal(new Set(answers.map((answer) => answer.split(' ')[0])).size, 1)
})

test('uses as many threads as allowed and no more', async (context) => {
  const pool = workers(context, { threads: 2 })
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((salt) => pool.hash('x', salt)))
  assert.equal(new Set(answers.map((answer) => answer.split(' ')[0])).size, 2)
})

test('rejects what does not fit the queue', async (context) => {
  const pool = workers(context, { threads: 1, waiting: 1 })
  const results = await Promise.allSettled([pool.hash('x', 1), pool.hash('x', 2), pool.hash('x', 3)])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  )
})

test('a queue of 0 still lets a free thread work', async (context) => {
  const pool = workers(context, { threads: 1, waiting: 0 })
  assert.match(await pool.hash('x', 7), / 7$/)
})

for (const way of ['die', 'throw'])
  test(`a thread that fails (${way}) fails its job only and is replaced`, async (context) => {
    const pool = workers(context, { threads: 1 })
    const results = await Promise.allSettled([
      pool.hash(way, 1),
      pool.hash('x', 2),
      pool.hash(way, 3),
      pool.hash('x', 4),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled'],
    )
    assert.match(await pool.hash('x', 5), / 5$/)
  })

test('threads end when nothing is to be done for a while, and start again', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const pool = new BcryptWorkers({ threads: 1, idle: 1000 }, pathToFileURL(script))
  context.after(() => pool.close())
  const thread = async () => (await pool.hash('x', 1)).split(' ')[0]
  const started = new Promise<Worker>((resolve) => process.once('worker', resolve))
  const first = await thread()
  const ended = started.then((worker) => once(worker, 'exit'))
  context.mock.timers.tick(999)
  assert.equal(await thread(), first, 'still there, and the time begins anew')
  context.mock.timers.tick(999)
  assert.equal(await thread(), first)
  context.mock.timers.tick(1000)
  await ended
  assert.notEqual(await thread(), first)
})

test('a job the thread refuses is rejected with its words', async (context) => {
  const pool = workers(context, { threads: 1 })
  await assert.rejects(pool.hash('refuse', 1), /refused/)
  assert.match(await pool.hash('x', 5), / 5$/)
})

test('closing rejects what was going on, what waits and what comes later', async (context) => {
  const pool = workers(context, { threads: 1 })
  const results = Promise.allSettled([pool.hash('hang', 1), pool.hash('x', 2)])
  await pool.close()
  for (const { status } of await results) assert.equal(status, 'rejected')
  await assert.rejects(pool.hash('x', 3), /closed/)
})

test('the real worker reports a bad salt and goes on', async (context) => {
  const pool = new BcryptWorkers({ threads: 1 })
  context.after(() => pool.close())
  await assert.rejects(pool.hash('x', 'no salt'))
  assert.match(await pool.hash('x', 4), /^\$2b\$04\$/)
})
