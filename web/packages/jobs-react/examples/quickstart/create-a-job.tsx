import { useBackgroundJobs } from '@/hooks/use-background-jobs';

function MyComponent() {
  const { createJob, jobs } = useBackgroundJobs({
    userId: 'user-123',
    authToken: 'jwt-token',
    onProgress: (jobId, progress) => {
      console.log(`Job ${jobId}: ${progress.percent}%`);
    },
    onComplete: (jobId, result) => {
      console.log('Job completed:', result);
    },
  });

  const handleOptimize = async () => {
    const jobId = await createJob({
      type: 'resume-optimization',
      resumeText: 'My resume...',
      targetRole: 'Full Stack Developer',
      userId: 'user-123',
    });

    console.log('Job created:', jobId);
  };

  return <button onClick={handleOptimize}>Optimize Resume</button>;
}
