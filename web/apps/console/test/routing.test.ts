import { describe, expect, it } from 'vitest';

import { jobLink, parseRoute } from '../src/shell/routing';

describe('links to jobs', () => {
  it.each(['guest-1:resume-optimization:1763900000000:ab-c_d', 'a%3Ab:type:1:x', '42', 'é/?#&:1'])(
    'lead back to the very id %s',
    (jobId) => {
      expect(parseRoute(jobLink(jobId))).toEqual({ page: 'job', jobId, section: null });
    },
  );

  it('may name a section of the report', () => {
    expect(parseRoute(jobLink('a:b', 'findings'))).toEqual({
      page: 'job',
      jobId: 'a:b',
      section: 'findings',
    });
  });
});

describe('addresses', () => {
  it.each(['', '#', '#/'])('%j is the home page', (hash) => {
    expect(parseRoute(hash)).toEqual({ page: 'home' });
  });

  it.each(['#/jobs', '#/jobs/%E0%A4%A', '#/jobs/%20', '#/elsewhere', '#/jobs/a/b/c'])(
    '%j is nowhere',
    (hash) => {
      expect(parseRoute(hash)).toEqual({ page: 'unknown' });
    },
  );
});
