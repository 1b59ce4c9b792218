import { JobProgressNotifications } from '@/components/jobs/job-progress-notifications';

export default function App() {
  return (
    <>
      {/* Your app */}
      <JobProgressNotifications userId="user-123" authToken="jwt-token" />
    </>
  );
}
