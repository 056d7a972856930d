//! The contract suite on AWS's interfaces: DynamoDB and S3, each served in this process by an
//! implementation that is not ours.

mod dynamodb;
mod faults;
mod local_aws;
mod lost;
mod refused;
mod s3;
mod servers;
