//! Asking the tenant for a change, in earnest or as a rehearsal.

use super::Call;
use crate::domain::change::{Channel, Provenance};
use crate::domain::command::Command;
use crate::domain::condition::Condition;
use crate::domain::decide::Rejection;
use crate::domain::permit::{Permitted, allows, may_see, permit};
use crate::http::problem::Problem;
use crate::tenant::{Answer, TenantError, by_server};

impl Call {
    /// Who asked for a change, and how.
    pub fn provenance(&self, channel: Channel) -> Provenance {
        let reason =
            self.header("dossier-reason").map(|reason| reason.chars().take(1000).collect());
        Provenance {
            actor: self.caller.subject.clone(),
            client_id: self.caller.client_id.clone(),
            channel,
            request_id: self.request_id.clone(),
            reason,
        }
    }

    /// Whether the caller may ask for a change: for who has work to do before it can be asked for.
    ///
    /// # Errors
    /// 403.
    pub fn may(&self, command: &Command) -> Result<(), Problem> {
        if let Some(bounds) = &self.bounds {
            bounds.check(command)?;
        }
        allows(&self.caller, command)?;
        Ok(self.may_prove(command)?)
    }

    /// Asks the tenant for a change, if the caller may.
    ///
    /// # Errors
    /// 403, or what the tenant says.
    pub async fn write(&self, channel: Channel, command: Command) -> Result<Answer, Problem> {
        self.write_if(channel, command, self.condition()?).await
    }

    /// Asks the tenant for a change, if the caller may and the condition holds.
    ///
    /// # Errors
    /// 403, 412, or what the tenant says.
    pub async fn write_if(
        &self,
        channel: Channel,
        command: Command,
        condition: Condition,
    ) -> Result<Answer, Problem> {
        if let Some(bounds) = &self.bounds {
            bounds.check(&command)?;
        }
        let may_see = may_see(&self.caller, &command);
        let may_prove = self.may_prove(&command);
        let permitted = permit(&self.caller, command)?;
        may_prove?;
        self.ask(permitted, condition, channel).await.map_err(|mut error| {
            if let TenantError::Rejected(Rejection::PreconditionFailed { changed, .. }) = &mut error
                && !may_see
            {
                for key in changed {
                    key.value = None;
                }
            }
            error.into()
        })
    }

    /// Tells the operator of a profile larger than Auth0 advises (CONTRACT.md §10, A11).
    fn warn_of_size(&self, answer: &Answer) {
        let Some(document) = answer.change.as_ref().and_then(|change| change.user()) else {
            return;
        };
        let settings = self.services.settings();
        let own = settings.tenant(self.tenant.id()).map(|tenant| &tenant.effective.limits);
        let limit = own.unwrap_or(&settings.limits).profile_warn_bytes;
        let bytes = document.json().len();
        if limit > 0 && u64::try_from(bytes).is_ok_and(|bytes| bytes > limit) {
            log::warn!(tenant = self.tenant.id(), user_id = document.id(), bytes, limit; "a large profile");
        }
    }

    /// Writes, or works out what a write would do when the caller asked for that.
    async fn ask(
        &self,
        command: Permitted<Command>,
        condition: Condition,
        channel: Channel,
    ) -> Result<Answer, TenantError> {
        let provenance = self.provenance(channel);
        let Some(rehearsal) = &self.rehearsal else {
            let answer = self.tenant.write_if(command, condition, provenance, self.now).await?;
            self.warn_of_size(&answer);
            return Ok(answer);
        };
        let answer = self.tenant.rehearse(command, condition, provenance, self.now).await?;
        rehearsal.borrow_mut().extend(answer.differences.iter().cloned());
        Ok(answer)
    }

    /// Asks the tenant for a change the server makes on its own account.
    ///
    /// # Errors
    /// What the tenant says.
    pub async fn write_as_server(
        &self,
        channel: Channel,
        command: Command,
    ) -> Result<Answer, Problem> {
        Ok(self.ask(by_server(command), Condition::default(), channel).await?)
    }
}
