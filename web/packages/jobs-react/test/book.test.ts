import { describe, expect, it } from 'vitest';

import { createJobBook, type Consequence, type JobBook } from '../src/core/book.js';
import type { JobStatusResponse, JobUpdate } from '../src/core/types.js';

const JOB = 'user-123:resume-optimization:1700000000000:abcdefghijkl';

function update(seq: number, fields: Partial<JobUpdate>): JobUpdate {
  return {
    id: `1700000000000-${seq}`,
    jobId: JOB,
    type: 'resume-optimization',
    event: 'processing',
    status: 'processing',
    timestamp: 1_700_000_000_000 + seq,
    ...fields,
  };
}

function progressUpdate(seq: number, percent: number): JobUpdate {
  return update(seq, { event: 'progress', progress: { percent, message: `at ${percent}` } });
}

function answer(fields: Partial<JobStatusResponse> = {}): JobStatusResponse {
  return { jobId: JOB, type: 'resume-optimization', status: 'processing', createdAt: 1_700_000_000_000, ...fields };
}

function atPercent(percent: number): Partial<JobStatusResponse> {
  return { progress: { percent, message: `at ${percent}` } };
}

function told(consequences: readonly Consequence[]): string[] {
  return consequences.map((c) => (c[0] === 'onProgress' ? `progress ${c[2].percent}` : c[0].replace(/^on/, '').toLowerCase()));
}

function shown(book: JobBook): unknown {
  const job = book.jobs_()[0];
  return job && { status: job.status, percent: job.progress?.percent ?? null };
}

describe('entries of the feed', () => {
  it('count once, by number rather than by spelling', () => {
    const book = createJobBook();
    expect(told(book.update_(progressUpdate(9, 10)))).toEqual(['progress 10']);
    expect(told(book.update_(progressUpdate(10, 20)))).toEqual(['progress 20']);
    expect(told(book.update_(progressUpdate(10, 20)))).toEqual([]);
    expect(told(book.update_(progressUpdate(9, 10)))).toEqual([]);
    expect(book.lastEventId_).toBe('1700000000000-10');
  });

  it('introduce a job that was created elsewhere, with its time of creation', () => {
    const book = createJobBook();
    book.update_(update(1, {}));
    expect(book.jobs_()[0]?.createdAt).toEqual(new Date(1_700_000_000_000));
  });

  it('end a job once, whatever follows', () => {
    const book = createJobBook();
    expect(told(book.update_(update(1, { event: 'failed', status: 'failed', error: 'No.' })))).toEqual(['error']);
    expect(told(book.update_(progressUpdate(2, 50)))).toEqual([]);
    expect(told(book.update_(update(3, { event: 'completed', status: 'completed' })))).toEqual([]);
    expect(shown(book)).toEqual({ status: 'failed', percent: null });
  });

  it('reopen a job that an operator retried, and end it again', () => {
    const book = createJobBook();
    book.update_(update(1, { event: 'failed', status: 'failed' }));
    book.update_(update(2, { event: 'queued', status: 'queued' }));
    expect(shown(book)).toEqual({ status: 'queued', percent: null });
    expect(told(book.update_(update(3, { event: 'cancelled', status: 'cancelled' })))).toEqual(['cancel']);
  });

  it('ask for the result of a completed job before saying so', () => {
    const book = createJobBook();
    book.update_(update(1, {}));
    expect(told(book.update_(update(2, { event: 'completed', status: 'completed' })))).toEqual(['fetch']);
    expect(shown(book)).toEqual({ status: 'processing', percent: null });
    expect(told(book.answer_(answer({ status: 'completed', result: 7 }), 'asked', book.clock_))).toEqual(['complete']);
    expect(book.jobs_()[0]?.result).toBe(7);
  });

  it('do not end a job by its removal when its end was told before', () => {
    const book = createJobBook();
    book.update_(update(1, { event: 'failed', status: 'failed' }));
    expect(told(book.update_(update(2, { event: 'removed', status: 'failed' })))).toEqual([]);
    expect(shown(book)).toEqual({ status: 'failed', percent: null });
  });
});

describe('answers', () => {
  it('older than the latest entry change nothing', () => {
    const book = createJobBook();
    const askedAt = book.clock_;
    book.update_(progressUpdate(1, 60));
    book.answer_(answer(atPercent(20)), 'asked', askedAt);
    expect(shown(book)).toEqual({ status: 'processing', percent: 60 });
  });

  it('ahead of the feed are shown, not announced, and not taken back as the feed catches up', () => {
    const book = createJobBook();
    expect(told(book.answer_(answer(atPercent(60)), 'asked', book.clock_))).toEqual([]);
    book.update_(update(1, { event: 'queued', status: 'queued' }));
    book.update_(update(2, {}));
    expect(told(book.update_(progressUpdate(3, 20)))).toEqual(['progress 20']);
    expect(shown(book)).toEqual({ status: 'processing', percent: 60 });
    expect(told(book.update_(progressUpdate(4, 60)))).toEqual(['progress 60']);
    expect(told(book.update_(progressUpdate(5, 80)))).toEqual(['progress 80']);
    expect(shown(book)).toEqual({ status: 'processing', percent: 80 });
  });

  it('that were polled are announced, and the feed does not announce them again', () => {
    const book = createJobBook();
    expect(told(book.answer_(answer(atPercent(60)), 'polled', book.clock_))).toEqual(['progress 60']);
    expect(told(book.answer_(answer(atPercent(60)), 'polled', book.clock_))).toEqual([]);
    expect(told(book.update_(progressUpdate(1, 20)))).toEqual([]);
    expect(told(book.update_(progressUpdate(2, 60)))).toEqual([]);
    expect(told(book.update_(progressUpdate(3, 70)))).toEqual(['progress 70']);
  });

  it('that were polled do not silence the next attempt, which starts over', () => {
    const book = createJobBook();
    book.answer_(answer(atPercent(60)), 'polled', book.clock_);
    book.update_(update(1, { event: 'retrying', status: 'queued', attemptsMade: 1 }));
    expect(shown(book)).toEqual({ status: 'queued', percent: null });
    expect(told(book.update_(progressUpdate(2, 10)))).toEqual(['progress 10']);
  });

  it('with an end wait for the feed, which may still have progress to tell', () => {
    const book = createJobBook();
    book.update_(update(1, {}));
    expect(told(book.answer_(answer({ status: 'completed', result: 1 }), 'asked', book.clock_))).toEqual(['confirm']);
    expect(told(book.update_(progressUpdate(2, 90)))).toEqual(['progress 90']);
    expect(told(book.update_(update(3, { event: 'completed', status: 'completed' })))).toEqual(['complete']);
    expect(told(book.settleHeld_(JOB))).toEqual([]);
  });

  it('with an end that the feed never tells are announced when its time is up', () => {
    const book = createJobBook();
    book.answer_(answer({ status: 'cancelled' }), 'asked', book.clock_);
    expect(told(book.settleHeld_(JOB))).toEqual(['cancel']);
    expect(told(book.update_(update(1, { event: 'cancelled', status: 'cancelled' })))).toEqual([]);
  });

  it('without a job end it: as unavailable when it was known to be done, as lost otherwise', () => {
    const book = createJobBook();
    book.update_(update(1, { event: 'completed', status: 'completed' }));
    expect(book.gone_(JOB)).toMatchObject([['onError', JOB, { code: 'result_unavailable' }]]);
    expect(book.jobs_()[0]?.status).toBe('completed');
    book.update_(update(2, { jobId: 'other' }));
    expect(book.gone_('other')).toMatchObject([['onError', 'other', { code: 'job_not_found' }]]);
    expect(book.find_('other')).toBeNull();
  });
});

describe('dismissing', () => {
  it('hides a job, whose end is still announced', () => {
    const book = createJobBook();
    book.update_(update(1, {}));
    book.dismiss_(JOB);
    expect(book.jobs_()).toEqual([]);
    expect(told(book.update_(update(2, { event: 'cancelled', status: 'cancelled' })))).toEqual(['cancel']);
    expect(book.jobs_()).toEqual([]);
  });

  it('of an ended job is not undone by late news of its end', () => {
    const book = createJobBook();
    book.answer_(answer({ status: 'completed', result: 1 }), 'polled', book.clock_);
    book.dismiss_(JOB);
    expect(told(book.update_(update(1, { event: 'completed', status: 'completed' })))).toEqual([]);
    expect(book.jobs_()).toEqual([]);
  });
});

/**
 * A job's whole feed, cut anywhere, with answers from any moment of the past or present mixed in:
 * nothing may be announced twice or out of order, and the end exactly once.
 */
describe('any mixture of feed and answers', () => {
  const feed = [
    update(1, { event: 'queued', status: 'queued' }),
    update(2, {}),
    ...[10, 25, 40, 60, 85].map((percent, index) => progressUpdate(3 + index, percent)),
    update(8, { event: 'completed', status: 'completed' }),
  ];

  function stateAfter(count: number): JobStatusResponse {
    const last = feed.slice(0, count).findLast((entry) => entry.event === 'progress');
    const status = feed[count - 1]?.status ?? 'queued';
    return answer({ status, progress: last?.progress ?? null, ...(status === 'completed' ? { result: 1 } : {}) });
  }

  function run(seed: number): string[] {
    const random = generator(seed);
    const book = createJobBook();
    const heard: string[] = [];
    const hear = (consequences: readonly Consequence[]): void => {
      for (const consequence of consequences) {
        if (consequence[0] === 'fetch') hear(book.answer_(stateAfter(feed.length), 'asked', book.clock_));
        else if (consequence[0] !== 'confirm') heard.push(...told([consequence]));
      }
    };
    let happened = 1;
    let delivered = 0;
    while (delivered < feed.length) {
      const dice = random();
      if (dice < 0.35) happened = Math.min(feed.length, happened + 1);
      else if (dice < 0.6 && delivered < happened) hear(book.update_(feed[delivered++] as JobUpdate));
      else if (dice < 0.7) for (const entry of feed.slice(0, delivered)) hear(book.update_(entry));
      else hear(book.answer_(stateAfter(happened), dice < 0.85 ? 'asked' : 'polled', book.clock_));
    }
    hear(book.settleHeld_(JOB));
    expect(shown(book)).toMatchObject({ status: 'completed' });
    return heard;
  }

  it('announces in order, nothing twice, the end once and last', () => {
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const heard = run(seed);
      const percents = heard.filter((entry) => entry !== 'complete').map((entry) => Number(entry.split(' ')[1]));
      expect(percents, `seed ${seed}`).toEqual([...new Set(percents)].sort((a, b) => a - b));
      expect(heard.filter((entry) => entry === 'complete'), `seed ${seed}`).toHaveLength(1);
      expect(heard.at(-1), `seed ${seed}`).toBe('complete');
    }
  });
});

/** Mulberry32: small, and the same numbers on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
