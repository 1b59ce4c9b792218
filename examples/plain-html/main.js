// The core of the package, as the browser loads it: no framework, no bundler.
import { sharedClient } from '@careerlens/jobs-react/core';

const form = document.querySelector('#form');
const problem = document.querySelector('#problem');
const list = document.querySelector('#jobs');

// In development on one machine the user's id is enough; elsewhere `retain` takes the token.
const client = sharedClient({ userId: 'user-123', apiUrl: 'http://localhost:3000' });
client.retain(() => undefined);

client.observe({
  onComplete: (jobId, result) => console.log('done', jobId, result),
  onError: (jobId, error) => console.log('failed', jobId, error.message),
});

function show() {
  const { jobs, status } = client.getSnapshot();
  document.querySelector('#status').textContent = status;
  list.replaceChildren(...jobs.map(itemOf));
}

function itemOf(job) {
  const item = document.createElement('li');
  const percent = Math.round(job.progress?.percent ?? 0);
  // Text, never markup: messages may hold what a file said.
  item.textContent = `${job.type}: ${job.status}, ${percent}% ${job.error ?? job.progress?.message ?? ''} `;
  if (job.completedAt === null) item.append(button('Cancel', () => client.cancelJob(job.jobId)));
  else item.append(button('Dismiss', () => client.dismissJob(job.jobId)));
  return item;
}

function button(words, act) {
  const element = document.createElement('button');
  element.textContent = words;
  element.onclick = () => Promise.resolve(act()).catch(explain);
  return element;
}

function explain(error) {
  problem.textContent = error.errors?.map((wrong) => wrong.message).join(' ') || error.message;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  problem.textContent = '';
  const fields = new FormData(form);
  client
    .createJob({
      type: 'resume-optimization',
      targetRole: fields.get('targetRole'),
      resume: fields.get('resume'),
    })
    .catch(explain);
});

client.subscribe(show);
show();
